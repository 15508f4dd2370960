"""Held-out cells watch the training and say when to stop."""

import time
from dataclasses import dataclass, field

import jax
import numpy as np

from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.tabular.fitting.checkpoint import FitCheckpoint
from ambient_jax.training.bars import TerminalBar
from ambient_jax.training.hooks import Bar, Quiet
from ambient_jax.training.progress import Progress
from ambient_jax.training.trainer import Trainer
from ambient_jax.types import Params

HIDE_RATE = 0.3
"""Share of a held-out row's observed cells that early stopping predicts."""


@dataclass(kw_only=True)
class Validation:
    """Held-out rows with some of their observed cells hidden, and the score on them."""

    functions: RowFunctions
    x: np.ndarray
    z: np.ndarray
    context: np.ndarray

    def nats(self, params: Params) -> np.ndarray:
        """`-log p` `[N, L]` of the hidden cells, 0 elsewhere."""
        key = jax.random.key(0)
        return self.functions.hidden_nats(
            params, key, self.x, self.z, context=self.context
        )

    @property
    def hidden(self) -> np.ndarray:
        """`[N, L]`: cells that are predicted."""
        return (self.z == self.functions.denoiser.num_values) & (self.x != self.z)


def hide_some(
    tokens: np.ndarray, mask: int, rng: np.random.Generator, rate: float = HIDE_RATE
) -> np.ndarray:
    """`tokens` with about a share `rate` of each row's observed cells hidden."""
    hide = rng.random(tokens.shape) < rate
    return np.where(hide, mask, tokens).astype(tokens.dtype)


@dataclass(kw_only=True)
class EarlyStop(Quiet):
    """Keeps the parameters that predict held-out cells best; stops when they get old.

    Attributes:
      history: mean nats per held-out cell, one per round.
      kept: where the fit survives a kill; None: nowhere.
    """

    trainer: Trainer
    validation: Validation | None
    patience: int
    deadline: float
    verbose: int = 0
    best: Params = None
    history: list[float] = field(default_factory=list)
    kept: FitCheckpoint | None = None

    def resume(self, start: Progress) -> Progress:
        """Where a killed fit stood; `start` if there is none."""
        if self.kept is None:
            return start
        found = self.kept.restore(start)
        if found is None:
            return start
        progress, self.history = found
        best = self.kept.best(start) if self.validation else None
        if best is not None:
            self.best = jax.device_get(self.trainer.sampling_params(best))
        return progress

    def save(self, progress: Progress) -> None:
        if self.kept is not None:
            self.kept.save(progress, self.history)

    def evaluate(self, progress: Progress) -> None:
        if self.validation is None:
            self.best = None
            return
        params = self.trainer.sampling_params(progress)
        hidden = self.validation.hidden
        nats = float(self.validation.nats(params)[hidden].mean())
        if not self.history or nats < min(self.history):
            self.best = jax.device_get(params)
        self.history.append(nats)

    def interrupted(self) -> bool:
        stale = len(self.history) - 1 - int(np.argmin(self.history or [0.0]))
        return stale >= self.patience or time.perf_counter() > self.deadline

    def bar(self, phase: str, round_: int, total: int, done: int) -> Bar:
        if not self.verbose:
            return super().bar(phase, round_, total, done)
        rounds = self.trainer.plan.rounds
        label = f"fit: round {round_ + 1} of at most {rounds}, {phase}"
        return TerminalBar(label, total, done, always=True)
