"""The callbacks of a run: metrics, bars, pictures, checkpoints, stopping."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ambient_jax.experiment.forecast import Forecast, duration
from ambient_jax.experiment.signals import StopRequest
from ambient_jax.report.tensorboard import TensorBoard
from ambient_jax.training.bars import TerminalBar
from ambient_jax.training.checkpoint import Checkpoints
from ambient_jax.training.hooks import Bar
from ambient_jax.training.progress import Phase, Position, Progress
from ambient_jax.training.recorder import Recorder

SCORE = "valid_nll_nats"
"""Metric by which the best checkpoint is chosen; it needs no hidden truth."""


@dataclass(kw_only=True)
class RunHooks:
    """`training.hooks.Hooks` of the command line.

    Attributes:
      figures: cheap evaluation of a progress, `{name: value}`.
      pictures: draws the pictures for TensorBoard.
      forecast: of the time left.
      rounds, every_rounds: evaluate each `every_rounds`-th round, and the last.
      seconds_before: wall time of earlier starts of this run.
    """

    recorder: Recorder
    checkpoints: Checkpoints
    tensorboard: TensorBoard
    stop: StopRequest
    figures: Callable[[Progress], dict[str, float]]
    pictures: Callable[[Progress], dict[str, np.ndarray]]
    forecast: Forecast
    rounds: int
    every_rounds: int
    seconds_before: float = 0.0
    _clock: float = field(default_factory=time.perf_counter)
    _score: float | None = None

    def log(self, round_: int, step: int, metrics: Mapping[str, float]) -> None:
        self.recorder.write(round_, step, metrics)
        self.tensorboard.scalars(step, dict(metrics))

    def evaluate(self, progress: Progress) -> None:
        round_ = progress.position.round + 1
        figures: dict[str, float] = {}
        if round_ % self.every_rounds == 0 or round_ == self.rounds:
            figures, drawn = self.figures(progress), self.pictures(progress)
            step = int(progress.state.step)  # all is drawn: from here on it is logged
            self._score = figures.get(SCORE)
            self.log(progress.position.round, step, figures)
            self.tensorboard.pictures(step, drawn)
        shown = "".join(f"{k} {figures[k]:.4g}, " for k in SHOWN if k in figures)
        left = self.forecast.left(Position(round=round_))
        print(
            f"round {round_}/{self.rounds}: {shown}about {duration(left)} left",
            flush=True,
        )

    def save(self, progress: Progress) -> None:
        self.recorder.sync()
        progress.position = dataclasses.replace(
            progress.position,
            metric_rows=self.recorder.rows,
            seconds=self.seconds_before + time.perf_counter() - self._clock,
        )
        self.checkpoints.save(progress, self._score)
        self._score = None

    def interrupted(self) -> bool:
        return self.stop.interrupted()

    def bar(self, phase: str, round_: int, total: int, done: int) -> Bar:
        position = Position(round=round_, phase=PHASES[phase], index=done)
        left = duration(self.forecast.left(position))
        label = f"round {round_ + 1}/{self.rounds} (about {left} left) {phase}"
        return TerminalBar(label, total, done)


PHASES: dict[str, Phase] = {"prior": "prior", "E-step": "estep", "M-step": "mstep"}
"""Phases by the label of their bar."""

SHOWN = (
    "bits_per_char", "test_nll_nats", "valid_nll_nats", "completion_nll_nats",
    "consistency_gap",
)  # fmt: skip
