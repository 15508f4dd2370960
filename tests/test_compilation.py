"""Programs are shared by calls with equal settings and like arrays, and no others."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest

from ambient_jax import compilation
from ambient_jax.compilation import CompiledQuickly, partition, shared


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Line:
    slope: Any
    name: Any


class Plain:
    """No registered pytree, and equal to itself alone."""


class Unhashable:
    __hash__ = None

    def __eq__(self, other):
        return True


def test_a_pytree_comes_back_from_its_parts():
    plain = Plain()
    tree = {"line": Line(np.arange(3.0), "down"), "rest": (2.5, plain, 7, None)}
    arrays, structure = partition(tree)
    assert [np.shape(array) for array in arrays] == [(3,), ()]
    back = structure.with_arrays([array + 1 for array in arrays])
    np.testing.assert_array_equal(back["line"].slope, [1.0, 2.0, 3.0])
    assert back["line"].name == "down"
    assert back["rest"] == (3.5, plain, 7, None)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Quick(CompiledQuickly):
    slope: Any


@pytest.mark.parametrize(
    ("tree", "quick"),
    [(Quick(1.0), True), ({"in": [Line(Quick(2.0), "a")]}, True),
     (Line(np.ones(2), "a"), False)],
)  # fmt: skip
def test_a_part_decides_how_its_programs_are_compiled(tree, quick, monkeypatch):
    made = []
    monkeypatch.setattr(compilation, "jit", lambda _, quick: made.append(quick))
    shared(_scaled, partition(tree)[1])
    assert made == [quick]


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (Line(np.zeros(2), "a"), Line(np.ones(2), "a"), True),
        (Line(np.zeros(2), "a"), Line(np.zeros(2), "b"), False),
        ((1.0, 2), (3.0, 2), True),
        ((1.0, 2), (1.0, 3), False),
        (Plain(), Plain(), False),
        (Unhashable(), Unhashable(), False),
    ],
)
def test_structures_are_equal_but_for_arrays_and_numbers(a, b, equal):
    first, second = partition(a)[1], partition(b)[1]
    assert (first == second) is equal
    if equal:
        assert hash(first) == hash(second)


def _scaled(factor, x):
    _scaled.traced += 1
    return factor * x


def test_a_function_is_compiled_once_for_equal_settings():
    _scaled.traced = 0
    x = np.arange(3.0, dtype=np.float32)
    for factor in (2, 2, 3, 2):
        np.testing.assert_array_equal(shared(_scaled, factor)(x), factor * x)
    assert _scaled.traced == 2
