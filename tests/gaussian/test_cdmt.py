"""Training on noisy rows: the truth is the minimum, and estimates are a martingale."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.diffusion.gaussian.cdmt_objective import CdmtObjective
from ambient_jax.diffusion.gaussian.consistency import (
    descend,
    martingale_defect,
    reverse_draw,
)
from ambient_jax.diffusion.gaussian.edm_objective import EdmObjective
from ambient_jax.diffusion.gaussian.losses import renoised, tweedie_estimate
from ambient_jax.family import Batch
from tests.gaussian import normal
from tests.gaussian.test_edm import N, losses

NOISE = 0.4
KINDS = ("offset", "gain", "roll")
BESIDE = (-0.3, 0.0, 0.3)


def noisy_rows(n, seed=3):
    """Clean rows that the objective never sees, plus noise."""
    noise = np.random.default_rng(seed).normal(size=(n, normal.LENGTH))
    return (normal.rows(n) + NOISE * noise).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_above_the_noise_of_the_data_the_clean_estimate_is_the_minimum(kind):
    """It sees y alone. Where r is dropped the minimum moves, and this fails."""
    objective = CdmtObjective(noise=NOISE)
    below, at, above = losses(objective, kind, BESIDE, noisy_rows(N))
    slope, excess = (above - below) / 2, (above + below) / 2 - at
    assert excess > 0
    assert abs(slope) < 0.15 * excess, (slope, excess)


def test_plain_edm_on_noisy_rows_has_its_minimum_elsewhere():
    """The test above can fail: noise that is taken for data asks for a larger gain."""
    below, at, above = losses(EdmObjective(), "gain", BESIDE, noisy_rows(N))
    slope, excess = (above - below) / 2, (above + below) / 2 - at
    assert slope < -0.15 * excess, (slope, excess)


def test_rows_are_noised_up_to_a_level_and_not_by_it():
    y, sigma = noisy_rows(N), 0.9
    noise = np.random.default_rng(5).normal(size=y.shape).astype(np.float32)
    level = jnp.full((len(y), 1), sigma)
    x = np.asarray(renoised(jnp.asarray(y), level, jnp.asarray(noise), NOISE))
    expected = np.diag(normal.SIGMA) + sigma**2
    np.testing.assert_allclose(x.var(axis=0), expected, rtol=0.03)
    at_it, one = jnp.full((1, 1), NOISE), jnp.ones((1, 1))
    found = tweedie_estimate(0.0 * one, one, at_it, NOISE)
    np.testing.assert_allclose(found, one, rtol=1e-6)  # y itself: r = 1


def defect(network, params, seed=0, n=N):
    """Mean and standard error of the martingale defect between 0.35 and 0.25."""
    x0, key = normal.rows(n), jax.random.key(seed)
    k_noise, k_draws = jax.random.split(key)
    t, s = jnp.full((n, 1), 0.35), jnp.full((n, 1), 0.25)
    x = jnp.asarray(x0) + t * jax.random.normal(k_noise, x0.shape)

    def estimate(x, sigma):
        return network.apply(params, x, sigma)

    found = np.asarray(martingale_defect(estimate, x, t, s, k_draws)).sum(axis=1)
    return found.mean(), found.std() / np.sqrt(n)


def test_the_martingale_defect_is_zero_at_the_truth():
    mean, error = defect(normal.Beside(), jnp.zeros(()))
    assert abs(mean) < 4 * error, (mean, error)


@pytest.mark.parametrize("kind", KINDS)
def test_the_martingale_defect_is_positive_beside_the_truth(kind):
    mean, error = defect(normal.Beside(kind), jnp.ones(()))
    assert mean > 4 * error, (mean, error)


def test_one_draw_in_place_of_two_would_be_noticed():
    """The square of one draw's difference is its variance too: not 0 at the truth."""
    n = 5000
    t, s = jnp.full((n, 1), 0.35), jnp.full((n, 1), 0.25)
    k_noise, k_draw = jax.random.split(jax.random.key(0))
    x0 = jnp.asarray(normal.rows(n))
    x = x0 + t * jax.random.normal(k_noise, x0.shape)
    at_t = normal.exact(x, t)
    drawn = reverse_draw(x, at_t, t, s, jax.random.normal(k_draw, x.shape))
    squares = np.asarray((normal.exact(drawn, s) - at_t) ** 2).sum(axis=1)
    assert squares.mean() > 10 * squares.std() / np.sqrt(n)


def test_descents_of_the_model_have_the_marginals_of_the_level():
    """Many small steps of the exact model, from noisy rows to cleaner ones."""
    n, low = 20_000, 0.1
    y = jnp.asarray(noisy_rows(n))
    start, end = jnp.full((n, 1), NOISE), jnp.full((n, 1), low)
    x = np.asarray(descend(normal.exact, y, start, end, 64, jax.random.key(0)))
    expected = normal.SIGMA + low**2 * np.eye(normal.LENGTH)
    assert np.abs(np.cov(x.T) - expected).max() < 0.02
    still = np.asarray(descend(normal.exact, y, start, start, 2, jax.random.key(0)))
    np.testing.assert_allclose(still, y, atol=1e-5)


def test_reverse_draws_follow_bayes():
    """Given x_0, the two-step path to s and t has the bridge's mean and variance."""
    n, t, s = 200_000, 0.8, 0.5
    rng = np.random.default_rng(0)
    x_s = 0.3 + s * rng.normal(size=n)
    x_t = x_s + np.sqrt(t**2 - s**2) * rng.normal(size=n)
    slope = np.cov(x_s, x_t)[0, 1] / x_t.var()
    rest = x_s - x_s.mean() - slope * (x_t - x_t.mean())
    column = jnp.ones((n, 1), jnp.float32)
    noise = jnp.asarray(rng.normal(size=(n, 1)), jnp.float32)
    found = reverse_draw(column, 0.3 * column, t * column, s * column, noise)
    assert float(found.mean()) == pytest.approx(0.3 + slope * 0.7, abs=0.005)
    assert float(found.std()) == pytest.approx(rest.std(), rel=0.01)


def gradient(objective, kind, value, n=4000):
    batch = Batch(jnp.asarray(noisy_rows(n)), jnp.asarray(noisy_rows(n)))
    step = jnp.zeros((), jnp.int32)

    def loss(value):
        return objective(normal.Beside(kind), value, batch, step, jax.random.key(0))[1][
            "consistency_loss"
        ]

    return [float(x) for x in jax.value_and_grad(loss)(jnp.asarray(value))]


def test_the_consistency_loss_pulls_towards_the_truth_below_the_noise():
    objective = CdmtObjective(noise=NOISE, consistency_weight=1.0)
    assert objective.metric_names == ("loss", "tweedie_loss", "consistency_loss")
    at, _ = gradient(objective, "gain", 0.0)
    beside, slope = gradient(objective, "gain", 1.0)
    assert beside > 10 * abs(at)
    assert slope > 0


@pytest.mark.parametrize(("stop", "nearer"), [("noisier", True), ("none", False)])
def test_only_if_noisier_levels_teach_does_a_step_come_nearer_to_the_truth(
    stop, nearer
):
    """Of an error that shrinks with the level; the other form drives it up."""
    objective = CdmtObjective(noise=NOISE, consistency_weight=1.0, stop=stop)
    for value in (-0.3, 0.3):
        loss, slope = gradient(objective, "level", value)
        assert loss > 0
        assert (slope * value > 0) == nearer


def test_without_weight_the_consistency_loss_is_not_computed():
    objective = CdmtObjective(noise=NOISE)
    assert objective.metric_names == ("loss", "tweedie_loss")


@pytest.mark.parametrize(
    "wrong",
    [
        {"noise": 0.0}, {"noise": -1.0}, {"noise": 0.5, "gap": 1.0},
        {"noise": 0.5, "consistency_weight": -1.0}, {"noise": 0.002},
        {"noise": 0.5, "descent_steps": 0},
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        CdmtObjective(**wrong)
