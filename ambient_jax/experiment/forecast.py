"""How long a run takes: what its parts cost on this machine, and what is left."""

import time
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ambient_jax.experiment.setup import Setup
from ambient_jax.keys import Purpose, derive
from ambient_jax.training.progress import Position, Progress
from ambient_jax.training.timing import time_estep, time_prior, time_step

TRUST_S = 20.0
"""Seconds of a run after which its own pace counts as much as what was measured."""

COMPILED_LATER = 4
"""Programs of about the size of the likelihood's that evaluation compiles: draws,
marginals, the consistency gap and the chain rule."""

SHORT_S = 30 * 60.0
"""Seconds that a run should take unless told otherwise."""


def duration(taken: float) -> str:
    """A duration in words, as exact as a forecast can be."""
    if taken < 90:
        return f"{round(taken)} s"
    if taken < 90 * 60:
        return f"{round(taken / 60)} min"
    return f"{taken / 3600:.1f} h"


class Parts(NamedTuple):
    """Seconds of the parts of a run."""

    prior: float
    training: float
    esteps: float
    evaluation: float

    def describe(self) -> str:
        """The sum and the parts in one line."""
        prior, training, esteps, evaluation = map(duration, self)
        fit = f"prior {prior}, " if self.prior else ""
        return (
            f"about {duration(sum(self))} ({fit}training {training}, E-steps {esteps}, "
            f"evaluation {evaluation})"
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Seconds of every phase of a run, at the pace that was measured.

    Attributes:
      mstep: seconds of one M-step.
      esteps: of the E-step of each round, 0 where there is none.
      evaluations: of the evaluation after each round, 0 where there is none.
      final: of the final figures.
      steps_per_round: train steps of an M-step.
      rows: rows of the E-step of each round.
      prior_step: seconds of a step of the fit of the prior.
      prior_steps: steps of that fit.
    """

    mstep: float
    esteps: tuple[float, ...]
    evaluations: tuple[float, ...]
    final: float
    steps_per_round: int
    rows: tuple[int, ...]
    prior_step: float = 0.0
    prior_steps: int = 0

    def left(self, position: Position) -> Parts:
        """Returns the seconds from a position to the end of the run."""
        now, prior = position.round, 0.0
        if position.phase == "prior":
            prior = self.prior_step * (self.prior_steps - position.index)
        training = self.mstep * (len(self.esteps) - now)
        esteps = sum(self.esteps[now:])
        evaluation = sum(self.evaluations[now:]) + self.final
        if position.phase == "estep" and position.index:
            esteps -= self.esteps[now] * position.index / self.rows[now]
        elif position.phase == "mstep":
            esteps -= self.esteps[now]
            training -= self.mstep * position.index / self.steps_per_round
        elif position.phase == "evaluate":
            esteps -= self.esteps[now]
            training -= self.mstep
        return Parts(prior, training, esteps, evaluation)

    def hint(self, row_share: float) -> str | None:
        """What ends the whole run in `SHORT_S`; None where it does, or nothing can.

        Args:
          row_share: share of the rows that a later E-step draws now.
        """
        prior, training, esteps, evaluation = self.left(Position(phase="prior"))
        initial = next((taken for taken in self.esteps if taken), 0.0)
        shrinking = training + esteps - initial
        factor = (SHORT_S - prior - initial - evaluation) / shrinking
        steps = int(self.steps_per_round * factor)
        if factor >= 1 or steps < 1:
            return None
        flags = f"--config.train.steps_per_round={steps}"
        if esteps:
            flags += f" --config.em.row_share={row_share * factor:.3f}"
        return f"hint: {flags} would end such a run in {duration(SHORT_S)} here"


@dataclass(kw_only=True)
class Forecast:
    """The time left, by the plan and by the pace of this process so far.

    Attributes:
      plan: what was measured.
      start: where this process began.
    """

    plan: Plan
    start: Position
    _clock: float = field(default_factory=time.perf_counter)

    def left(self, position: Position) -> float:
        """Seconds to the end of the run."""
        planned, left = sum(self.plan.left(self.start)), sum(self.plan.left(position))
        return left * self.pace(planned - left, time.perf_counter() - self._clock)

    @staticmethod
    def pace(planned: float, taken: float) -> float:
        """Seconds taken for a second planned; 1 as long as little has been done."""
        return (taken + TRUST_S) / (planned + TRUST_S)


def measure(setup: Setup, progress: Progress, every_rounds: int) -> Plan:
    """Times a train step, a batch of each E-step and one of evaluation.

    All of them are compiled by that, and the memory of the process grows to about its
    peak. Nothing of the run changes.
    """
    trainer, rounds = setup.trainer, setup.trainer.plan.rounds
    rows = tuple(trainer.rows_drawn(r) for r in range(rounds))
    per_row: dict[str, float] = {}
    esteps = []
    for round_, count in enumerate(rows):
        kind = trainer.estep.kind(round_)
        if kind not in per_row:
            per_row[kind] = time_estep(trainer, progress, round_) if count else 0.0
        esteps.append(count * per_row[kind])
    start = trainer.estep.start_round
    evaluated = [(r + 1) % every_rounds == 0 or r + 1 == rounds for r in range(rounds)]
    costs = _evaluation_passes(setup, progress.completions)
    key = derive(setup.config.seed, Purpose.EVALUATION)
    per_pass, compilation = setup.time_pass(setup.params(progress), key)
    return Plan(
        mstep=time_step(trainer, progress) * trainer.plan.steps_per_round,
        esteps=tuple(esteps),
        evaluations=tuple(
            per_pass * costs[start is not None and r >= start] * evaluated[r]
            for r in range(rounds)
        ),
        final=per_pass * costs[2] + COMPILED_LATER * compilation,
        steps_per_round=trainer.plan.steps_per_round, rows=rows,
        prior_step=time_prior(trainer, progress),
        prior_steps=trainer.prior_fit.prior.num_steps if trainer.prior_fit else 0,
    )  # fmt: skip


def _evaluation_passes(setup: Setup, completions: np.ndarray) -> tuple[int, int, int]:
    """Row passes of an evaluation before EM, of one during EM, and at the end."""
    suite, gallery = setup.suite, setup.gallery.row_passes
    complete = np.zeros_like(completions)
    last = completions if setup.trainer.estep.start_round is None else complete
    return (
        suite.row_passes(setup.dataset.train.rows, full=False) + gallery,
        suite.row_passes(complete, full=False) + gallery,
        suite.row_passes(last, full=True) + gallery,
    )
