"""Stops training when held-out cells are no longer predicted better."""

import dataclasses
import time
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from scipy.special import logsumexp

from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.training.bars import BarOverRounds
from ambient_jax.training.hooks import Bar, Quiet
from ambient_jax.training.progress import Progress
from ambient_jax.training.trainer import Trainer
from ambient_jax.types import Params

HIDE_RATE = 0.3
"""Share of a held-out row's observed cells that early stopping predicts."""


@dataclass(kw_only=True)
class Validation:
    """Held-out rows, some of whose observed cells are masked, and their likelihood.

    Attributes:
      functions: of the network that has not been trained on the rows.
      x: `[N, L]` tokens of the rows.
      z: `[N, L]` the same with more of them masked.
      context: `[N, F]` extra features, see `Denoiser.apply`.
    """

    functions: RowFunctions
    x: np.ndarray
    z: np.ndarray
    context: np.ndarray

    def nats(self, params: Params) -> np.ndarray:
        """Returns `-log p` `[N, L]` of the predicted cells, 0 elsewhere."""
        logits = self.functions.logits(
            params, jax.random.key(0), self.z, context=self.context
        )
        predicted = self.predicted
        own = np.where(predicted, self.x, 0)[..., None].astype(int)
        log_p = np.take_along_axis(logits, own, 2)[..., 0] - logsumexp(logits, axis=2)
        return np.where(predicted, -log_p, 0.0)

    @property
    def predicted(self) -> np.ndarray:
        """`[N, L]` bool: cells that are masked in `z` and known in `x`."""
        return (self.z == self.functions.denoiser.num_values) & (self.x != self.z)


@dataclass(kw_only=True)
class EarlyStopping(Quiet):
    """Retains the parameters with the best validation score (`training.hooks.Hooks`).

    Attributes:
      trainer: whose progress it evaluates.
      validation: held-out rows; None: training runs to its end.
      patience: rounds without a better score after which training stops.
      deadline: value of `time.perf_counter` at which it stops.
      verbose: 1 shows a progress bar, even where standard error is no terminal.
      checkpoints: where the fit survives a kill; None: nowhere.
      best: parameters of the best round; None before the first evaluation.
      history: validation scores, in nats per predicted cell, one per round.
    """

    trainer: Trainer
    validation: Validation | None
    patience: int
    deadline: float
    verbose: int = 0
    checkpoints: Any = None  # a `Checkpoints`; its module loads Orbax
    best: Params = None
    history: tuple[float, ...] = ()
    _whole: BarOverRounds = field(init=False)

    def __post_init__(self) -> None:
        self._whole = BarOverRounds(
            label="fit (stops early where held-out cells say so)",
            rounds=self.trainer.plan.rounds,
        )

    def resume(self, start: Progress) -> Progress:
        """Returns the progress of the newest checkpoint; `start` if there is none."""
        if self.checkpoints is None:
            return start
        found = self.checkpoints.restore(start)
        if found is None:
            return start
        self.history = found.position.scores
        best = self.checkpoints.restore_best(start) if self.validation else None
        if best is not None:
            self.best = jax.device_get(self.trainer.sampling_params(best))
        return found

    def save(self, progress: Progress) -> None:
        """Saves the progress; with its score, if a round has just ended."""
        if self.checkpoints is None:
            return
        position = progress.position
        ended = position.phase in ("estep", "done") and position.index == 0
        score = position.scores[-1] if position.scores and ended else None
        self.checkpoints.save(progress, score)

    def evaluate(self, progress: Progress) -> None:
        """Scores the model, and retains its parameters if they are the best so far."""
        if self.validation is None:
            return
        params = self.trainer.sampling_params(progress)
        nats = float(self.validation.nats(params)[self.validation.predicted].mean())
        if not self.history or nats < min(self.history):
            self.best = jax.device_get(params)
        self.history = (*self.history, nats)
        progress.position = dataclasses.replace(progress.position, scores=self.history)

    def interrupted(self) -> bool:
        """Whether the patience or the time is at its end."""
        stale = len(self.history) - 1 - int(np.argmin(self.history or [0.0]))
        return stale >= self.patience or time.perf_counter() > self.deadline

    def bar(self, phase: str, round_: int, total: int, done: int) -> Bar:
        """Returns the part of one bar over all rounds, if `verbose`.

        The bar tells the time left, of a fit that does not stop early. Only M-steps
        move it, which take most of the time.
        """
        if not self.verbose or phase != "M-step":
            return super().bar(phase, round_, total, done)
        return self._whole.part(round_, total, done)

    def close(self) -> None:
        """Removes the bar."""
        self._whole.close()
