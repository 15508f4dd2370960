"""The mixture of a network's bins and a normal or log-normal distribution."""

import dataclasses

import numpy as np
import pytest

from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.prediction import Normal, Prediction

RNG = np.random.default_rng(0)
SMOOTH = NumberColumn.fit(RNG.gamma(3, size=3000), 16)
WHOLE = NumberColumn.fit(RNG.poisson(6, 3000).astype(float), 32)
CELLS = 40


def prediction(coder, logarithmic, weight=0.6, scale=0.2):
    location = RNG.uniform(1.5, 5.0, CELLS)
    if logarithmic:
        location = np.log(location)
    normal = Normal(
        coder=coder, location=location, scale=np.full(CELLS, scale),
        logarithmic=logarithmic,
    )  # fmt: skip
    p = RNG.dirichlet(np.ones(coder.size), CELLS)
    return Prediction(coder=coder, p=p, normal=normal, weight=np.full(CELLS, weight))


def grid(coder, cell, count=20_000):
    """Values in the middle of fine steps over the range, and the steps' width."""
    edges = np.linspace(coder.low[0], coder.high[-1], count + 1)
    middle = (edges[:-1] + edges[1:]) / 2
    one = slice(cell, cell + 1)
    return middle, np.diff(edges), lambda own: Prediction(
        coder=coder, p=np.tile(own.p[one], (count, 1)),
        normal=dataclasses.replace(
            own.normal, location=np.repeat(own.normal.location[one], count),
            scale=np.repeat(own.normal.scale[one], count),
        ), weight=np.repeat(own.weight[one], count),
    )  # fmt: skip


@pytest.mark.parametrize("logarithmic", [False, True])
def test_densities_integrate_to_one_and_to_the_moments(logarithmic):
    own = prediction(SMOOTH, logarithmic)
    mean, sd = own.moments()
    np.testing.assert_array_equal(own.expectation(), mean)
    for cell in range(4):
        x, width, repeated = grid(SMOOTH, cell)
        mass = np.exp(repeated(own).log_density(x)) * width
        assert mass.sum() == pytest.approx(1, abs=2e-3)
        assert mass @ x == pytest.approx(mean[cell], abs=2e-2)
        spread = np.sqrt(mass @ (x - mean[cell]) ** 2)
        assert spread == pytest.approx(sd[cell], rel=3e-2)


@pytest.mark.parametrize("logarithmic", [False, True])
def test_quantiles_invert_the_distribution_function(logarithmic):
    own = prediction(SMOOTH, logarithmic)
    for level in (0.05, 0.3, 0.5, 0.95):
        lower, upper = own.cdf_bounds(own.quantile(level))
        np.testing.assert_allclose(lower, level, atol=1e-6)
        np.testing.assert_array_equal(lower, upper)


def test_atoms_have_the_mass_around_them():
    own = prediction(WHOLE, False, weight=1.0, scale=1e-3)
    nearest = np.round(own.normal.location)
    p = own.token_probabilities()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-9)
    assert (WHOLE.encode(nearest) == p.argmax(axis=1)).mean() > 0.95
    np.testing.assert_array_equal(own.quantile(0.5), WHOLE.low[p.argmax(axis=1)])
    total = sum(np.exp(own.log_density(np.full(CELLS, value))) for value in WHOLE.low)
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_a_weight_of_zero_changes_nothing():
    own = prediction(SMOOTH, False, weight=0.0)
    alone = Prediction(coder=SMOOTH, p=own.p)
    values = SMOOTH.decode(np.arange(CELLS) % SMOOTH.size, np.full(CELLS, 0.4))
    np.testing.assert_allclose(own.expectation(), alone.expectation())
    np.testing.assert_allclose(own.quantile(0.3), alone.quantile(0.3), atol=1e-6)
    np.testing.assert_allclose(own.log_density(values), alone.log_density(values))
    np.testing.assert_allclose(own.cdf_bounds(values), alone.cdf_bounds(values))


def test_huge_values_stay_finite():
    coder = NumberColumn.fit(RNG.lognormal(size=500) * 1e300, 16)
    assert coder.exponent > 0
    location = np.log(coder.mean[8]) * np.ones(3)
    normal = Normal(
        coder=coder, location=location, scale=np.full(3, 0.1), logarithmic=True
    )
    own = Prediction(
        coder=coder, p=np.tile(coder.share, (3, 1)), normal=normal,
        weight=np.full(3, 0.9),
    )  # fmt: skip
    for found in (*own.moments(), own.quantile(0.9), own.mode()):
        assert np.isfinite(found).all()
        assert (found > 0).all()
