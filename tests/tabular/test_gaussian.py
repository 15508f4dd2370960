"""The Gaussian with a full covariance: its fit with missing cells, and conditioning."""

import numpy as np
import pytest

from ambient_jax.tabular.linear.gaussian import Gaussian, condition_on

COVARIANCE = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.3], [0.0, 0.3, 1.0]])


def rows_of(count, missing, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.multivariate_normal(np.array([0.2, -0.1, 0.0]), COVARIANCE, count)
    return np.where(rng.random(x.shape) < missing, np.nan, x)


def log_likelihood(gaussian, x):
    total = 0.0
    for row in x:
        seen = np.isfinite(row)
        block = gaussian.covariance[np.ix_(seen, seen)]
        d = (row - gaussian.mean)[seen]
        total -= (d @ np.linalg.solve(block, d) + np.linalg.slogdet(block)[1]) / 2
    return total


def test_complete_rows_give_the_sample_moments():
    x = rows_of(500, 0.0)
    made = Gaussian.fit(x)
    np.testing.assert_allclose(made.mean, x.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(made.covariance, np.cov(x.T, bias=True), atol=1e-6)


def test_em_never_lowers_the_likelihood_and_ends_near_the_truth():
    x = rows_of(3000, 0.4)
    made = Gaussian(mean=np.zeros(3), covariance=np.eye(3))
    before = log_likelihood(made, x)
    for _ in range(15):
        made = made._after_em(x)
        now = log_likelihood(made, x)
        assert now >= before - 1e-6
        before = now
    truth = Gaussian(mean=np.array([0.2, -0.1, 0.0]), covariance=COVARIANCE)
    assert log_likelihood(Gaussian.fit(x), x) > log_likelihood(truth, x)
    np.testing.assert_allclose(Gaussian.fit(x).covariance, COVARIANCE, atol=0.08)


def test_conditional_moments_are_those_of_the_formula():
    gaussian = Gaussian(mean=np.array([1.0, 2.0, 3.0]), covariance=COVARIANCE)
    x = np.array([[1.5, np.nan, 2.0], [np.nan, np.nan, np.nan]])
    (_, mean, covariance), *rest = gaussian.given(x)
    assert not rest
    seen = [0, 2]
    slope = COVARIANCE[1, seen] @ np.linalg.inv(COVARIANCE[np.ix_(seen, seen)])
    assert mean[0, 1] == pytest.approx(2.0 + slope @ np.array([0.5, -1.0]))
    assert covariance[0, 1, 1] == pytest.approx(1 - slope @ COVARIANCE[seen, 1])
    np.testing.assert_array_equal(mean[0, seen], [1.5, 2.0])
    assert (covariance[0, seen] == 0).all()
    np.testing.assert_allclose(mean[1], gaussian.mean)
    np.testing.assert_allclose(covariance[1], COVARIANCE)


def test_conditioning_in_turn_is_conditioning_at_once():
    gaussian = Gaussian(mean=np.zeros(3), covariance=COVARIANCE)
    x = rows_of(40, 0.3)
    parts = list(gaussian.given(np.full((40, 3), np.nan)))
    mean, covariance = parts[0][1].copy(), parts[0][2].copy()
    for index in (1, 0):
        condition_on(mean, covariance, index, x[:, index])
    x[:, 2] = np.nan
    (_, expected, spread), *_ = gaussian.given(x)
    np.testing.assert_allclose(mean, expected, atol=1e-9)
    np.testing.assert_allclose(covariance, spread, atol=1e-9)


def test_an_exact_relation_is_learned_and_stays_finite():
    x = rows_of(400, 0.2)
    x[:, 2] = 2 * x[:, 0] - x[:, 1]
    made = Gaussian.fit(x)
    (_, mean, covariance), *_ = made.given(np.array([[0.7, -0.4, np.nan]]))
    assert mean[0, 2] == pytest.approx(1.8, abs=1e-3)
    assert 0 < covariance[0, 2, 2] < 1e-6
