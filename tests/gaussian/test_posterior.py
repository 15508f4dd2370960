"""Draws of missing cells given observed ones, against the exact conditionals."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.diffusion.gaussian import sampling
from ambient_jax.diffusion.gaussian.posterior import (
    PosteriorCompleter,
    conjugate_gradients,
    posterior_estimate,
)
from ambient_jax.diffusion.gaussian.repaint import RepaintCompleter
from ambient_jax.diffusion.gaussian.sampling import EdmSampler
from tests.gaussian import normal

ROW = np.array([0.9, np.nan, -0.4, np.nan, np.nan, 0.7], np.float32)
DRAWS = 20_000
FINE = EdmSampler(num_steps=40)


def completed(completer, n=DRAWS, row=ROW, estimate=normal.exact):
    """`[n, L]` completions of one row, each with a key of its own."""
    rows = jnp.tile(jnp.asarray(row)[None], (n, 1))
    keys = jax.random.split(jax.random.key(0), n)
    program, schedule = completer.program(True), completer.schedule(0)

    @jax.jit
    def draw(keys):
        return completer.draw(program, schedule, estimate, rows, rows, keys)

    return np.asarray(draw(keys))


def distance(x, row=ROW):
    """Largest error of the mean and of the covariance, in standard errors."""
    mean, covariance = normal.conditional(row)
    x, sd = x[:, np.isnan(row)], np.sqrt(np.diag(covariance))
    of_mean = np.abs(x.mean(axis=0) - mean) / (sd / np.sqrt(len(x)))
    scale = np.outer(sd, sd) * np.sqrt(2 / len(x))
    return of_mean.max(), (np.abs(np.cov(x.T) - covariance) / scale).max()


def test_moment_matched_draws_are_exact_for_gaussian_data():
    drawn = completed(PosteriorCompleter(sampler=FINE, iterations=8))
    of_mean, of_covariance = distance(drawn)
    assert of_mean < 5, (of_mean, of_covariance)
    assert of_covariance < 5, (of_mean, of_covariance)
    observed = ~np.isnan(ROW)
    assert (drawn[:, observed] == ROW[observed]).all()  # bit for bit


def test_a_scalar_in_place_of_the_covariance_is_rejected():
    """V = sigma^2 / (1 + 4 sigma^2) I, which the data's marginals would suggest."""
    observed = jnp.tile(~jnp.isnan(jnp.asarray(ROW))[None], (DRAWS, 1))
    values = jnp.where(observed, jnp.asarray(ROW)[None], 0.0)
    seen = observed.astype(jnp.float32)

    def given(x, sigma):
        h, backward = jax.vjp(lambda x: normal.exact(x, sigma), x)
        scale = sigma**2 / (1 + 4 * sigma**2)
        v = seen * (values - h) / (0.01**2 + scale)
        return h + sigma**2 * backward(v)[0]

    @jax.jit
    def draw(keys):
        start = FINE.sigma_max * sampling.row_normals(keys, 0, normal.LENGTH)
        return sampling.draw(given, start, keys, FINE)

    drawn = np.asarray(draw(jax.random.split(jax.random.key(0), DRAWS)))
    assert max(distance(drawn)) > 10


@pytest.mark.parametrize("sigma", [0.05, 1.0, 20.0])
def test_the_posterior_estimate_is_bayes_rule(sigma):
    """Against the Gaussian formula, with the noisy row as another observation."""
    noise, x = 0.1, normal.rows(3, seed=8) + 0.5
    row, observed = np.nan_to_num(ROW), ~np.isnan(ROW)
    given = posterior_estimate(
        normal.exact, jnp.tile(jnp.asarray(row)[None], (3, 1)),
        jnp.tile(jnp.asarray(observed)[None], (3, 1)), noise, 12,
    )  # fmt: skip
    found = given(jnp.asarray(x), jnp.full((3, 1), sigma))
    precision = np.linalg.inv(normal.SIGMA)
    total = precision + np.eye(6) / sigma**2 + np.diag(observed / noise**2)
    pull = precision @ normal.MEAN + x / sigma**2 + observed * row / noise**2
    np.testing.assert_allclose(found, np.linalg.solve(total, pull.T).T, atol=2e-3)


def test_conjugate_gradients_solve_each_row_apart():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 5, 5))
    matrices = root @ root.transpose(0, 2, 1) + np.eye(5)
    b = rng.normal(size=(4, 5))
    b[2] = 0.0  # a row that is solved already

    def product(v):
        return jnp.einsum("bij,bj->bi", jnp.asarray(matrices, jnp.float32), v)

    found = conjugate_gradients(product, jnp.asarray(b, jnp.float32), 12)
    expected = np.linalg.solve(matrices, b[..., None])[..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    one = conjugate_gradients(product, jnp.asarray(b, jnp.float32), 1)
    assert np.abs(one - expected).max() > 0.01


def test_a_direction_without_curvature_ends_the_row_it_is_of():
    """A network's Jacobian may be indefinite: the step would be two thousand long."""
    diagonal = jnp.asarray([[1.0, -0.999], [1.0, 0.5]])
    b = jnp.ones((2, 2))
    found = np.asarray(conjugate_gradients(lambda v: diagonal * v, b, 4, floor=0.1))
    np.testing.assert_array_equal(found[0], 0.0)
    np.testing.assert_allclose(found[1], [1.0, 2.0], rtol=1e-5)
    free = np.asarray(conjugate_gradients(lambda v: diagonal * v, b, 1))
    assert np.abs(free[0]).max() > 1000


def test_more_resamplings_bring_known_cells_and_drawn_ones_together():
    """Ten passes a level halve the error of one; they do not remove it."""
    sampler = EdmSampler(num_steps=30)
    mean, covariance = normal.conditional(ROW)
    errors = []
    for resamplings in (1, 10):
        completer = RepaintCompleter(sampler=sampler, resamplings=resamplings)
        drawn = completed(completer, n=3000)[:, np.isnan(ROW)]
        errors.append(np.abs(drawn.mean(axis=0) - mean).max())
    print(f"error of the mean: {errors[0]:.3f}, then {errors[1]:.3f}")
    assert errors[1] < 0.6 * errors[0], errors
    ratio = np.diag(np.cov(drawn.T)) / np.diag(covariance)
    print(f"variance of the draws in units of the truth: {ratio}")
    assert (np.abs(ratio - 1) < 0.25).all(), ratio


def test_the_mean_of_draws_has_less_spread_than_a_draw():
    sampler = EdmSampler(num_steps=12)
    one = completed(RepaintCompleter(sampler=sampler, resamplings=2), n=2000)
    mean = completed(
        RepaintCompleter(sampler=sampler, resamplings=2, num_draws=10), n=2000
    )
    hidden = np.isnan(ROW)
    ratio = mean[:, hidden].var(axis=0) / one[:, hidden].var(axis=0)
    np.testing.assert_allclose(ratio, 0.1, atol=0.02)  # independent draws
    assert (mean[:, ~hidden] == ROW[~hidden]).all()


@pytest.mark.parametrize(
    "completer",
    [
        PosteriorCompleter(sampler=EdmSampler(num_steps=4)),
        RepaintCompleter(sampler=EdmSampler(num_steps=4, churn=1.0), resamplings=2),
    ],
    ids=["posterior", "repaint"],
)
def test_a_row_depends_on_its_own_key_and_cells_alone(completer):
    rows = jnp.asarray(normal.with_holes(normal.rows(8), 0.5))
    keys = jax.random.split(jax.random.key(1), 8)

    def draw(rows, keys):
        return completer.draw(
            completer.program(False), completer.schedule(3), normal.exact, rows, rows,
            keys,
        )  # fmt: skip

    whole, part = draw(rows, keys), draw(rows[3:], keys[3:])
    np.testing.assert_allclose(whole[3:], part, rtol=1e-4, atol=1e-5)
    assert np.isfinite(whole).all()
    known = ~np.isnan(rows)
    assert (np.asarray(whole)[known] == np.asarray(rows)[known]).all()
    assert completer.describe(0)
    empty = draw(jnp.full((2, 6), jnp.nan), keys[:2])  # nothing observed: a new row
    assert np.isfinite(empty).all()


@pytest.mark.parametrize("change", [{"noise": 0.0}, {"iterations": 0}])
def test_values_out_of_range_are_refused(change):
    with pytest.raises(ValueError, match="must"):
        dataclasses.replace(PosteriorCompleter(), **change)
    for name in ("resamplings", "num_draws"):
        with pytest.raises(ValueError, match="must"):
            RepaintCompleter(**{name: 0})
