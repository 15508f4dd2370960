"""Coverage of intervals of draws: what is exact, and what is caught."""

import numpy as np
import pytest

from ambient_jax.evaluation.coverage import NUM_DRAWS, covered

CELLS = 40_000


def share(draw):
    """Coverage where `draw(rng, size)` makes the draws, and the truth is normal."""
    rng = np.random.default_rng(0)
    truth = np.round(rng.normal(size=CELLS), 9)
    return covered(draw(rng, (NUM_DRAWS, CELLS)), truth, rng).mean()


def test_draws_of_the_true_distribution_cover_90_percent():
    assert share(lambda rng, size: rng.normal(size=size)) == pytest.approx(
        0.9, abs=0.006
    )


@pytest.mark.parametrize(("sd", "low", "high"), [(0.5, 0.0, 0.75), (2.0, 0.99, 1.0)])
def test_draws_that_vary_too_little_or_too_much_are_told_apart(sd, low, high):
    assert low <= share(lambda rng, size: sd * rng.normal(size=size)) <= high


def test_equal_values_are_ranked_at_random():
    rng = np.random.default_rng(1)
    values = rng.integers(0, 3, (NUM_DRAWS + 1, CELLS))
    inside = covered(values[1:], values[0], rng)
    assert inside.mean() == pytest.approx(0.9, abs=0.006)
    same = covered(np.zeros((NUM_DRAWS, CELLS)), np.zeros(CELLS), rng)
    assert same.mean() == pytest.approx(0.9, abs=0.006)
