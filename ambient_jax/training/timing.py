"""Seconds of the parts of training on this machine; nothing of a run changes."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from ambient_jax.inference.row_map import seconds
from ambient_jax.training.progress import Progress
from ambient_jax.training.trainer import Trainer

State = TypeVar("State")


def time_step(trainer: Trainer, progress: Progress) -> float:
    """Returns the seconds of a train step; a copy of the state takes it."""
    where = trainer.batches.order(0)[0]
    batch = trainer.batches.placed(progress.completions, where)
    return _update_seconds(
        lambda state: trainer.step(state, batch, trainer.key)[0], progress.state
    )


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
    fit = trainer.prior_fit
    if fit is None or progress.prior is None or not fit.prior.num_steps:
        return 0.0
    return _update_seconds(fit.first_step, progress.prior)


def _update_seconds(update: Callable[[State], State], state: State) -> float:
    """Returns the seconds of an update that uses up its state: a copy of `state`."""
    state = jax.tree.map(jnp.copy, state)

    def once() -> None:
        nonlocal state
        state = jax.block_until_ready(update(state))

    return seconds(once)[0]
