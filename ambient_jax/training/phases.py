"""Steps from one phase of a run to the next, and the phase before the first round."""

import dataclasses
from collections.abc import Iterable, Iterator

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


def run_units(
    progress: Progress, hooks: Hooks, label: str, total: int, units: Iterable[int]
) -> None:
    """Runs the units of a phase behind a bar; between two of them it may stop.

    Args:
      progress: of the run, at the first unit that is left.
      hooks: of the run.
      label: of the bar.
      total: number of units of the whole phase.
      units: yields how many are done, after each.

    Raises:
      Interrupted: see `stop_if_asked`.
    """
    position = progress.position
    bar = hooks.bar(label, position.round, total, position.index)
    for done in units:
        bar.update(done)
        move(progress, index=done)
        if done < total:
            stop_if_asked(progress, hooks)
    bar.close()


def run_prior(fit: PriorFit, progress: Progress, hooks: Hooks) -> None:
    """Fits the prior, from where the progress is."""
    total = fit.prior.num_steps
    run_units(progress, hooks, "prior", total, _steps(fit, progress))
    if total and progress.prior is not None:
        nats = float(progress.prior.lowest_nats)
        hooks.log(0, 0, {"prior_held_out_nats": nats})


def _steps(fit: PriorFit, progress: Progress) -> Iterator[int]:
    assert progress.prior is not None
    for done, state in fit.steps(progress.prior, progress.position.index):
        progress.prior = state
        yield done
