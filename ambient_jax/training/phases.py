"""Steps from one phase of a run to the next, and the phase before the first round."""

import dataclasses

from ambient_jax.training.hooks import Hooks, Interrupted
from ambient_jax.training.prior_fit import PriorFit
from ambient_jax.training.progress import Progress
from ambient_jax.training.window import refuse_divergence


def move(progress: Progress, **changes) -> None:
    """Changes fields of the position."""
    progress.position = dataclasses.replace(progress.position, **changes)


def stop_if_asked(progress: Progress, hooks: Hooks, saved: bool = False) -> None:
    """Saves and stops where the hooks say so.

    Args:
      progress: of the run.
      hooks: of the run.
      saved: whether this point has been saved already.

    Raises:
      Interrupted: the run was asked to stop; the progress has been saved.
    """
    if hooks.interrupted():
        if not saved:
            refuse_divergence(progress, int(progress.state.bad_step))
            hooks.save(progress)
        raise Interrupted


def run_prior(fit: PriorFit, progress: Progress, hooks: Hooks) -> None:
    """Fits the prior, from where the progress is."""
    assert progress.prior is not None
    start, total = progress.position.index, fit.prior.num_steps
    bar = hooks.bar("prior", 0, total, start)
    for done, state in fit.steps(progress.prior, start):
        progress.prior = state
        bar.update(done)
        move(progress, index=done)
        if done < total:
            stop_if_asked(progress, hooks)
    bar.close()
    if total:
        nats = float(progress.prior.best_nats)
        hooks.log(0, 0, {"prior_held_out_nats": nats})
