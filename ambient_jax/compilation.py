"""Compilation with `jax.jit`: faster on a CPU, and shared by calls of like shapes.

A compiled function that closes over its network is compiled anew for the next network
of the same shapes. Functions that `shared` compiles take the arrays of a network as
arguments instead, and are compiled once for all runs whose other settings are equal.
"""

import functools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

CPU_OPTIMIZATION_LEVEL = 2
"""LLVM's optimization level. XLA's default is 3, which took twice as long to compile
for code that ran no faster."""

QUICK_CPU_OPTIONS = {"xla_cpu_use_fusion_emitters": False}
"""XLA's newer emitters make a module of LLVM of every fused operation. The train steps
of three tables took twice as long to compile with them and ran no faster; that of
pictures (digits) took a third longer to compile and ran faster by 18 %."""

MAX_PROGRAMS = 128
"""Number of shared functions that are kept; the least recently used one is dropped."""


def jit(
    function: Callable, *, level: int = CPU_OPTIMIZATION_LEVEL, quick: bool = False,
    **settings: Any,
) -> Any:  # fmt: skip
    """Returns `jax.jit(function, **settings)` with compiler options for the backend.

    Args:
      function, settings: see `jax.jit`.
      level: LLVM's optimization level on a CPU, 0 to 3; 0 for what runs once.
      quick: compile in half the time, see `QUICK_CPU_OPTIONS`.
    """
    options = {}
    if jax.default_backend() == "cpu":
        options = {"xla_backend_optimization_level": level}
        if quick:
            options |= _accepted_quick_options()
    return jax.jit(function, compiler_options=options, **settings)


@functools.cache
def _accepted_quick_options() -> dict[str, bool]:
    """`QUICK_CPU_OPTIONS`, or none of them where XLA has them no more."""
    try:
        jax.jit(lambda: 0, compiler_options=QUICK_CPU_OPTIONS).lower().compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return QUICK_CPU_OPTIONS


@functools.lru_cache(maxsize=MAX_PROGRAMS)
def shared(function: Callable, *static: Hashable, **settings: Any) -> Any:
    """Returns `jit(partial(function, *static), **settings)`, the same for equal ones.

    Args:
      function: of a module, since every closure or lambda is a function of its own.
      static: its first arguments; they are constants of the compiled program. A
        `Structure` among them decides whether it is compiled quickly.
      settings: see `jit`; hashable values.
    """
    quick = any(isinstance(value, Structure) and value.quick for value in static)
    return jit(functools.partial(function, *static), quick=quick, **settings)


class CompiledQuickly:
    """A class of pytrees whose programs are compiled in half the time.

    It is for networks that train for seconds, see `QUICK_CPU_OPTIONS`.
    """


@dataclass(frozen=True)
class _ById:
    """A value without a hash, equal to itself alone."""

    value: Any

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and self.value is other.value


@dataclass(frozen=True)
class Structure:
    """A pytree without its arrays. Equal ones share a compiled program.

    Attributes:
      treedef: of the pytree.
      rest: its leaves; None in the place of an array.
      quick: whether a part of it is `CompiledQuickly`.
    """

    treedef: Any
    rest: tuple[Hashable, ...]
    quick: bool = False

    def with_arrays(self, arrays: list[Any]) -> Any:
        """Returns the pytree with `arrays`, as `partition` returned them."""
        left = iter(arrays)
        leaves = [next(left) if leaf is None else leaf for leaf in self.rest]
        leaves = [leaf.value if isinstance(leaf, _ById) else leaf for leaf in leaves]
        return jax.tree.unflatten(self.treedef, leaves)


def partition(tree: Any) -> tuple[list[Any], Structure]:
    """Splits a pytree into its arrays and numbers, and everything else.

    What is not a registered pytree, such as a network without arrays, is a leaf and
    belongs to the structure.
    """
    nodes = []

    def seen(node: Any) -> bool:
        nodes.append(node)
        return False

    leaves, treedef = jax.tree.flatten(tree, is_leaf=seen)
    quick = any(isinstance(node, CompiledQuickly) for node in nodes)
    arrays = [leaf for leaf in leaves if _is_array(leaf)]
    rest = tuple(None if _is_array(leaf) else _hashable(leaf) for leaf in leaves)
    return arrays, Structure(treedef, rest, quick)


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray | np.generic | float)


def _hashable(leaf: Any) -> Hashable:
    try:
        hash(leaf)
    except TypeError:
        return _ById(leaf)
    return leaf
