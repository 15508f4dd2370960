"""Seconds of the parts of training on this machine; nothing of a run changes."""

import jax
import jax.numpy as jnp

from ambient_jax.inference.row_map import seconds
from ambient_jax.training.progress import Progress
from ambient_jax.training.trainer import Trainer


def time_step(trainer: Trainer, progress: Progress) -> float:
    """Returns the seconds of a train step; a copy of the state takes it."""
    where = trainer.batches.order(0)[0]
    batch = trainer.batches.placed(progress.completions, where)
    state = jax.tree.map(jnp.copy, progress.state)

    def step() -> None:
        nonlocal state
        state, _ = trainer.step(state, batch, trainer.key)
        jax.block_until_ready(state)

    return seconds(step)[0]


def time_estep(trainer: Trainer, progress: Progress, round_: int) -> float:
    """Returns the seconds per row of the E-step of a round."""
    if trainer.estep.is_prior_round(round_):
        assert trainer.prior_fit is not None
        assert progress.prior is not None
        schedule = trainer.estep.schedule(round_)
        return trainer.prior_fit.time_draws(progress.prior, schedule)
    params = trainer.sampling_params(progress)
    return trainer.driver.time_batch(params, progress.completions, round_)


def time_prior(trainer: Trainer, progress: Progress) -> float:
    """Returns the seconds of a step of the fit of the prior; 0 without one."""
    if trainer.prior_fit is None or progress.prior is None:
        return 0.0
    return trainer.prior_fit.time_step(progress.prior)
