"""EM on Gaussian data: draws reach the truth, means in their place do not."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ambient_jax.data.continuous import ContinuousData
from ambient_jax.diffusion.gaussian.edm_objective import EdmObjective
from ambient_jax.diffusion.gaussian.posterior import PosteriorCompleter
from ambient_jax.diffusion.gaussian.sampling import EdmSampler
from ambient_jax.mesh import make_mesh
from ambient_jax.priors.gaussian import GaussianPrior
from ambient_jax.priors.means import MeanPrior
from ambient_jax.training.estep import EStep
from ambient_jax.training.hooks import Quiet
from ambient_jax.training.trainer import Plan, Trainer
from tests.gaussian import normal

RATE, ROWS, ROUNDS, STEPS = 0.6, 4000, 30, 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanCompleter(PosteriorCompleter):
    """Imputes the posterior mean, as DiffPuter does; here without Monte-Carlo error."""

    def draw(self, program, schedule, denoise, rows, completion, keys):
        observed = ~jnp.isnan(rows)
        x = jnp.where(observed, rows, 0.0)
        far = jnp.full((len(rows), 1), 80.0)
        given = super_estimate(denoise, x, observed)
        return jnp.where(observed, rows, given(0.0 * x, far))


def super_estimate(denoise, x, observed):
    from ambient_jax.diffusion.gaussian.posterior import posterior_estimate

    return posterior_estimate(denoise, x, observed, 0.01, 8)


def em(completer, prior, rounds=ROUNDS):
    """The covariance of the averaged denoiser after EM by the project's trainer."""
    rows = normal.with_holes(normal.rows(ROWS), RATE)
    data = ContinuousData(rows=rows, shape=(normal.LENGTH,))
    steps = rounds * STEPS
    trainer = Trainer(
        normal.Linear(), data, EdmObjective(),
        EStep(start_round=0, completer=completer, prior=prior, prior_rounds=1),
        Plan(rounds=rounds, steps_per_round=STEPS, batch_size=1000,
             estep_batch_size=1000, ema_decay=0.95),
        optax.adam(optax.cosine_decay_schedule(0.02, steps, alpha=0.02)), make_mesh(1),
    )  # fmt: skip
    progress = trainer.run(trainer.start(), Quiet())
    params = progress.state.ema
    return np.asarray(normal.Linear.covariance(params)), np.asarray(params["mean"])


def relative_error(covariance):
    return np.linalg.norm(covariance - normal.SIGMA) / np.linalg.norm(normal.SIGMA)


DRAWS = PosteriorCompleter(
    sampler=EdmSampler(num_steps=32, sigma_max=10.0), iterations=8
)


def test_em_by_draws_reaches_the_covariance():
    """From column means, with 60 % missing: within 12 % in the Frobenius norm."""
    found, mean = em(DRAWS, MeanPrior())
    error = relative_error(found)
    print(f"error {error:.3f}; trace {np.trace(found) / np.trace(normal.SIGMA):.3f}")
    assert error < 0.12, error
    assert np.trace(found) == pytest.approx(np.trace(normal.SIGMA), rel=0.08)
    assert np.abs(mean - normal.MEAN).max() < 0.06


def test_means_in_place_of_draws_shrink_the_variance():
    """By how much: the trace loses more than a fifth; that of draws keeps its own."""
    found, _ = em(MeanCompleter(), MeanPrior())
    share = np.trace(found) / np.trace(normal.SIGMA)
    print(f"means: {share:.3f} of the trace")
    assert share < 0.8, share


def test_the_low_rank_gaussian_starts_where_em_ends():
    found, _ = em(DRAWS, GaussianPrior(rank=5, iterations=60), rounds=8)
    print(f"error {relative_error(found):.3f}")
    assert relative_error(found) < 0.12


def test_an_estimate_at_a_high_level_is_the_posterior_mean():
    """What `MeanCompleter` relies on."""
    row = np.array([0.9, np.nan, -0.4, np.nan, np.nan, 0.7], np.float32)
    rows = jnp.asarray(row)[None]
    keys = jax.random.split(jax.random.key(0), 1)
    found = MeanCompleter().draw(None, (), normal.exact, rows, rows, keys)
    mean, _ = normal.conditional(row)
    assert np.asarray(found)[0, np.isnan(row)] == pytest.approx(mean, abs=0.01)
