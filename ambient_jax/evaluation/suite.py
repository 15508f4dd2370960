"""Runs the evaluators of a run: cheap ones during training, all of them at its end."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import numpy as np

from ambient_jax.evaluation.estimate import Figures
from ambient_jax.types import Params, RootKey


@runtime_checkable
class Evaluator(Protocol):
    """Yields `(name, value)` for parameters and a key."""

    @property
    def row_passes(self) -> int:
        """What a call costs, in forward passes of the network times rows."""
        ...

    def __call__(self, params: Params, key: RootKey) -> Figures: ...


@runtime_checkable
class Evaluators(Protocol):
    """The evaluators of a diffusion family on one data set."""

    @property
    def skipped_figures(self) -> list[str]:
        """One line per group of figures that the data do not allow."""
        ...

    def cheap(self, completions: np.ndarray) -> list[Evaluator]:
        """Evaluators of a point of a curve."""
        ...

    def full(
        self, completions: np.ndarray, nats_per_row: dict[str, np.ndarray] | None
    ) -> list[Evaluator]:
        """Evaluators of every figure that applies.

        Args:
          completions: `[N, ...]` of the training rows.
          nats_per_row: filled by the name of the figure, where a figure is a mean over
            rows; None: not needed.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Runs evaluators, each with a key of its own.

    Attributes:
      evaluators: those of the family and the data set.
    """

    evaluators: Evaluators

    @property
    def skipped_figures(self) -> list[str]:
        """One line per group of figures that the data do not allow."""
        return self.evaluators.skipped_figures

    def cheap(
        self, params: Params, completions: np.ndarray, key: RootKey
    ) -> dict[str, float]:
        """Returns the figures of a point of a curve, by name."""
        return self._run(params, self.evaluators.cheap(completions), key)

    def full(
        self, params: Params, completions: np.ndarray, key: RootKey,
        nats_per_row: dict[str, np.ndarray] | None = None,
        watch: Callable[[list[Evaluator]], Iterable[Evaluator]] = iter,
    ) -> dict[str, float]:  # fmt: skip
        """Returns every figure that applies, by name.

        Args:
          params: parameters that are evaluated.
          completions: `[N, ...]` of the training rows.
          key: of the evaluation.
          nats_per_row: see `Evaluators.full`.
          watch: passes the evaluators on one by one, e.g. behind a progress bar.
        """
        evaluators = self.evaluators.full(completions, nats_per_row)
        return self._run(params, watch(evaluators), key)

    def row_passes(self, completions: np.ndarray, full: bool) -> int:
        """What `cheap` or `full` costs, in forward passes times rows."""
        made = (
            self.evaluators.full(completions, None)
            if full
            else self.evaluators.cheap(completions)
        )
        return sum(evaluator.row_passes for evaluator in made)

    @staticmethod
    def _run(
        params: Params, evaluators: Iterable[Evaluator], key: RootKey
    ) -> dict[str, float]:
        figures: dict[str, float] = {}
        for index, evaluator in enumerate(evaluators):
            figures |= evaluator(params, jax.random.fold_in(key, index))
        return figures
