"""The low-rank Gaussian fitted by EM: likelihood, maximum, draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from ambient_jax.family import Prior
from ambient_jax.priors.gaussian import GaussianPrior, fit_gaussian
from ambient_jax.priors.means import MeanPrior
from tests.gaussian import normal


def log_likelihood(rows, mean, covariance):
    """Mean log-likelihood of the observed cells of a row, row by row."""
    total = 0.0
    for row in rows:
        seen = ~np.isnan(row)
        if seen.any():
            total += multivariate_normal.logpdf(
                row[seen], mean[seen], covariance[np.ix_(seen, seen)]
            )
    return total / len(rows)


def plain_em(rows, iterations):
    """EM of a Gaussian without restriction, row by row (the textbook's)."""
    mean, covariance = np.nanmean(rows, axis=0), np.diag(np.nanvar(rows, axis=0))
    for _ in range(iterations):
        first, second = np.zeros(len(mean)), np.zeros_like(covariance)
        for row in rows:
            hidden = np.isnan(row)
            gain = covariance[np.ix_(hidden, ~hidden)] @ np.linalg.inv(
                covariance[np.ix_(~hidden, ~hidden)]
            )
            filled, rest = row.copy(), np.zeros_like(covariance)
            filled[hidden] = mean[hidden] + gain @ (row[~hidden] - mean[~hidden])
            rest[np.ix_(hidden, hidden)] = (
                covariance[np.ix_(hidden, hidden)]
                - gain @ covariance[np.ix_(~hidden, hidden)]
            )
            first, second = first + filled, second + np.outer(filled, filled) + rest
        mean = first / len(rows)
        covariance = second / len(rows) - np.outer(mean, mean)
    return mean, covariance


ROWS = normal.with_holes(normal.rows(400), 0.4).astype(np.float64)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_every_iteration_raises_the_likelihood_of_the_observed_cells(rank):
    history = fit_gaussian(ROWS, rank, 60).history
    assert (np.diff(history) > -1e-9).all(), np.diff(history).min()
    assert history[-1] - history[0] > 0.05
    # What it says of itself is what another formula says of its parameters.
    fit = fit_gaussian(ROWS, rank, 59)
    own = log_likelihood(ROWS, fit.mean, fit.covariance)
    assert history[-1] == pytest.approx(own, abs=1e-8)


def test_with_full_rank_it_reaches_the_maximum_of_a_free_gaussian():
    """Another algorithm that knows no factors ends at the same likelihood."""
    fit = fit_gaussian(ROWS, normal.LENGTH - 1, 1500)
    mean, covariance = plain_em(ROWS, 150)
    best = log_likelihood(ROWS, mean, covariance)
    found = log_likelihood(ROWS, fit.mean, fit.covariance)
    assert found == pytest.approx(best, abs=1e-3)
    np.testing.assert_allclose(fit.mean, mean, atol=0.01)
    np.testing.assert_allclose(fit.covariance, covariance, atol=0.01)


def test_on_complete_rows_it_reaches_the_closed_form():
    """Tipping & Bishop: the rest of the spectrum is one variance."""
    x, rank = normal.rows(500).astype(np.float64), 2
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    variance = values[:-rank].mean()
    kept = vectors[:, -rank:]
    best = kept @ np.diag(values[-rank:] - variance) @ kept.T + variance * np.eye(6)
    fit = fit_gaussian(x, rank, 500)
    np.testing.assert_allclose(fit.covariance, best, atol=1e-5)
    np.testing.assert_allclose(fit.mean, x.mean(axis=0), atol=1e-6)


def fitted(rank=5, iterations=200):
    prior = GaussianPrior(rank=rank, iterations=iterations)
    assert isinstance(prior, Prior)
    params = prior.init(ROWS.astype(np.float32), jax.random.key(0))
    return prior, prior.components(params, jax.random.key(1)), params


def test_draws_are_exact_and_the_nats_are_those_of_the_fit():
    prior, components, params = fitted()
    mean = np.asarray(params["mean"])
    covariance = np.asarray(params["weights"] @ params["weights"].T) + float(
        params["sd"]
    ) ** 2 * np.eye(6)
    row = np.array([0.9, np.nan, -0.4, np.nan, np.nan, 0.7], np.float32)
    hidden, n = np.isnan(row), 40_000
    keys = jax.random.split(jax.random.key(2), n)
    rows = jnp.tile(jnp.asarray(row)[None], (n, 1))
    drawn = np.asarray(prior.draw(components, rows, keys, ()))
    gain = covariance[np.ix_(hidden, ~hidden)] @ np.linalg.inv(
        covariance[np.ix_(~hidden, ~hidden)]
    )
    expected = mean[hidden] + gain @ (row[~hidden] - mean[~hidden])
    rest = (
        covariance[np.ix_(hidden, hidden)] - gain @ covariance[np.ix_(~hidden, hidden)]
    )
    sd = np.sqrt(np.diag(rest))
    found = drawn[:, hidden]
    assert (np.abs(found.mean(axis=0) - expected) < 5 * sd / np.sqrt(n)).all()
    error = np.abs(np.cov(found.T) - rest) / (np.outer(sd, sd) * np.sqrt(2 / n))
    assert error.max() < 5, error
    assert (drawn[:, ~hidden] == row[~hidden]).all()
    nats = np.asarray(prior.nats(components, jnp.asarray(ROWS, jnp.float32)))
    assert -nats.mean() == pytest.approx(
        log_likelihood(ROWS, mean, covariance), abs=1e-3
    )


def test_a_row_without_observed_cells_is_drawn_from_the_whole_gaussian():
    prior, components, _ = fitted()
    keys = jax.random.split(jax.random.key(3), 20_000)
    nothing = jnp.full((20_000, 6), jnp.nan)
    drawn = np.asarray(prior.draw(components, nothing, keys, ()))
    fit = fit_gaussian(ROWS.astype(np.float32), 5, 200)
    assert np.abs(np.cov(drawn.T) - fit.covariance).max() < 0.02
    np.testing.assert_allclose(prior.nats(components, nothing[:2]), 0, atol=1e-3)


def test_means_complete_a_row_alike_each_time():
    prior = MeanPrior()
    assert isinstance(prior, Prior)
    params = prior.init(ROWS.astype(np.float32), jax.random.key(0))
    rows = jnp.asarray(ROWS[:5], jnp.float32)
    keys = jax.random.split(jax.random.key(1), 5)
    found = np.asarray(prior.draw(params, rows, keys, ()))
    expected = np.where(np.isnan(ROWS[:5]), np.nanmean(ROWS, axis=0), ROWS[:5])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    own = [
        -multivariate_normal.logpdf(
            row[~np.isnan(row)], np.nanmean(ROWS, axis=0)[~np.isnan(row)],
            np.diag(np.nanvar(ROWS, axis=0)[~np.isnan(row)]),
        )
        for row in ROWS[:5] if (~np.isnan(row)).any()
    ]  # fmt: skip
    np.testing.assert_allclose(prior.nats(params, rows), own, atol=1e-4)


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"iterations": 0}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        GaussianPrior(**wrong)
