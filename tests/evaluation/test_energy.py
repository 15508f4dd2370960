"""The energy distance: against loops, and for equal and other distributions."""

import numpy as np
import pytest

from ambient_jax.evaluation.energy import energy_distance

RNG = np.random.default_rng(0)


def test_it_is_what_loops_say():
    a, b = RNG.normal(size=(5, 3)), RNG.normal(size=(4, 3))

    def mean(x, y, same):
        pairs = [np.linalg.norm(x[i] - y[j]) for i in range(len(x))
                 for j in range(len(y)) if not (same and i == j)]  # fmt: skip
        return np.mean(pairs)

    expected = 2 * mean(a, b, False) - mean(a, a, True) - mean(b, b, True)
    assert energy_distance(a, b) == pytest.approx(expected)


def test_it_is_zero_for_one_distribution_and_grows_with_the_shift():
    a, b = RNG.normal(size=(2, 800, 3))
    near, shifted, wide = (energy_distance(a, x) for x in (b, b + 0.5, 1.5 * b))
    assert abs(near) < 0.01
    assert shifted > 0.1
    assert wide > 0.03
