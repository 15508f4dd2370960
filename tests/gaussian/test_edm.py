"""EDM on data whose denoiser is known: scalings, loss, grid and sampler."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.diffusion.gaussian.edm_objective import EdmObjective
from ambient_jax.diffusion.gaussian.levels import LogNormal, grid, log_uniform
from ambient_jax.diffusion.gaussian.preconditioning import Preconditioning
from ambient_jax.diffusion.gaussian.sampling import EdmSampler, generate
from ambient_jax.family import Batch
from tests.gaussian import normal

N = 60_000


def losses(objective, kind, values, x, seed=0):
    """The loss of `Beside(kind)` at each value of its parameter, on the same noise."""
    batch = Batch(jnp.asarray(x), jnp.asarray(x))
    step = jnp.zeros((), jnp.int32)

    @jax.jit
    def loss(value):
        key = jax.random.key(seed)
        return objective(normal.Beside(kind), value, batch, step, key)[0]

    return [float(loss(jnp.asarray(value))) for value in values]


@pytest.mark.parametrize("sigma", [0.002, 0.1, 0.5, 3.0, 80.0])
def test_inputs_and_targets_have_unit_size_at_every_level(sigma):
    """The conditions that the coefficients were derived from, by Monte Carlo."""
    p, rng = Preconditioning(sigma_data=0.7), np.random.default_rng(0)
    x, noise = 0.7 * rng.normal(size=10**6), rng.normal(size=10**6)
    level = jnp.full((1, 1), sigma)
    skip, out, scale = (float(f(level)[0, 0]) for f in (p.skip, p.out, p.scale_in))
    noisy = x + sigma * noise
    assert np.std(scale * noisy) == pytest.approx(1, abs=0.004)
    assert np.std((x - skip * noisy) / out) == pytest.approx(1, abs=0.004)
    assert float(p.loss_weight(level)[0, 0]) * out**2 == pytest.approx(1, abs=1e-5)
    assert float(p.noise(level)[0, 0]) == pytest.approx(np.log(sigma) / 4, abs=1e-5)


def test_a_network_of_zeros_is_the_best_estimate_of_independent_cells():
    p, x = Preconditioning(sigma_data=0.5), jnp.asarray([[2.0, -1.0]])
    found = p.estimate(lambda x, c: jnp.zeros_like(x), x, jnp.asarray([[1.0]]))
    np.testing.assert_allclose(found, x * 0.25 / 1.25, rtol=1e-6)


def test_levels_are_log_normal_and_can_be_cut_off():
    levels = LogNormal()
    log = np.log(np.asarray(levels.draw(jax.random.key(0), N)))
    assert log.shape == (N, 1)
    assert log.mean() == pytest.approx(-1.2, abs=0.01)
    assert log.std() == pytest.approx(1.2, abs=0.01)
    low = 0.5
    cut = np.asarray(levels.draw(jax.random.key(1), N, low=low))
    free = np.exp(log[log > np.log(low)])
    assert cut.min() >= low
    for q in (0.1, 0.5, 0.9):
        assert np.quantile(cut, q) == pytest.approx(np.quantile(free, q), rel=0.03)
    few = np.log(np.asarray(log_uniform(jax.random.key(2), N, 0.01, 1.0)))
    assert few.mean() == pytest.approx(np.log(0.1), abs=0.02)
    assert few.min() >= np.log(0.01)
    assert few.max() <= 0


def test_the_grid_is_that_of_the_paper():
    found = np.asarray(grid(18, 0.002, 80.0, 7.0))
    assert found.shape == (19,)
    assert found[0] == pytest.approx(80)
    assert found[17] == pytest.approx(0.002, rel=1e-3)
    assert found[18] == 0
    own = [(80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
           for i in range(18)]  # fmt: skip
    np.testing.assert_allclose(found[:18], own, rtol=1e-4)


@pytest.mark.parametrize("kind", ["offset", "gain", "roll"])
def test_the_loss_is_least_at_the_exact_denoiser(kind):
    """Beside it the loss is larger by the weighted squared distance, to both sides."""
    below, at, above = losses(EdmObjective(), kind, (-1.0, 0.0, 1.0), normal.rows(N))
    slope, excess = (above - below) / 2, (above + below) / 2 - at
    assert excess > 0
    assert abs(slope) < 0.1 * excess, (slope, excess)


def test_unknown_cells_carry_no_loss_and_imputed_ones_their_weight():
    x = normal.with_holes(normal.rows(500), 0.5)
    filled = np.where(np.isnan(x), 7.0, x).astype(np.float32)
    step = jnp.zeros((), jnp.int32)

    def loss(objective, completion):
        batch = Batch(jnp.asarray(x), jnp.asarray(completion))
        key = jax.random.key(0)
        return float(objective(normal.Beside(), jnp.zeros(()), batch, step, key)[0])

    assert np.isfinite(loss(EdmObjective(), x))
    assert loss(EdmObjective(imputed_weight=0.0), filled) < loss(EdmObjective(), filled)
    excluded = Batch(jnp.asarray(x), jnp.asarray(x), None, jnp.ones(500, bool))
    none = EdmObjective()(
        normal.Beside(), jnp.zeros(()), excluded, step, jax.random.key(0)
    )[0]
    assert float(none) == 0


def spread(sampler, n=20_000, seed=0):
    keys = jax.random.split(jax.random.key(seed), n)
    run = jax.jit(lambda keys: generate(normal.exact, keys, normal.LENGTH, sampler))
    return np.asarray(run(keys))


@pytest.mark.parametrize(
    "sampler",
    [EdmSampler(num_steps=32), EdmSampler(num_steps=64, churn=8.0)],
    ids=["heun", "churn"],
)
def test_samples_have_the_mean_and_covariance_of_the_data(sampler):
    x = spread(sampler)
    error = np.sqrt(np.diag(normal.SIGMA) / len(x))
    assert (np.abs(x.mean(axis=0) - normal.MEAN) < 5 * error).all()
    scale = np.sqrt(np.outer(np.diag(normal.SIGMA), np.diag(normal.SIGMA)))
    difference = (np.cov(x.T) - normal.SIGMA) / scale
    assert np.abs(difference).max() < 5 * np.sqrt(2 / len(x)), difference


def test_the_test_above_rejects_a_sampler_of_few_plain_steps():
    x = spread(EdmSampler(num_steps=12, heun=False))
    shrunk = np.diag(np.cov(x.T)) / np.diag(normal.SIGMA)
    assert np.abs(shrunk - 1).max() > 5 * np.sqrt(2 / len(x))


def test_rows_are_independent_of_the_batch():
    keys = jax.random.split(jax.random.key(0), 8)
    sampler = EdmSampler(num_steps=5, churn=2.0)
    whole = generate(normal.exact, keys, normal.LENGTH, sampler)
    part = generate(normal.exact, keys[5:], normal.LENGTH, sampler)
    # A draw begins at the level 80, of which float32 has 1e-5.
    np.testing.assert_allclose(whole[5:], part, rtol=2e-5, atol=1e-4)
    assert len(np.unique(np.asarray(whole)[:, 0])) == 8


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: EdmSampler(num_steps=0), lambda: EdmSampler(sigma_min=0.0),
        lambda: EdmSampler(sigma_min=2.0, sigma_max=1.0),
        lambda: EdmSampler(churn=-1.0), lambda: LogNormal(sd=0.0),
        lambda: Preconditioning(sigma_data=0.0),
        lambda: EdmObjective(imputed_weight=-1.0),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must|below"):
        wrong()
