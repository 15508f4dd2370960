"""Split conformal calibration of the quantiles that a table model predicts."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.prediction import Prediction
from ambient_jax.tabular.held_out_cells import HeldOutCells
from ambient_jax.tabular.model import TableModel

MIN_COLUMN_SCORES = 100
"""Conformity scores from which a column is calibrated by itself. With fewer of them
its extreme levels would be too noisy, and the scores of all columns are used."""

MIN_POOLED_SCORES = 10
"""Conformity scores without which levels are not corrected at all."""

MAX_SCORES = 400
"""Conformity scores stored per column: a level is then exact to 1/400."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Corrects nominal levels by split conformal prediction.

    Attributes:
      scores: for each column of the codec its sorted `conformity_scores`; empty for a
        column with fewer than `MIN_COLUMN_SCORES` of them.
      pooled: the sorted scores of all columns together; empty if no cell was held out.

    References:
      Vovk et al. 2005; Romano et al. 2019 (arXiv 1905.03222) for the quantile form.
    """

    scores: tuple[np.ndarray, ...]
    pooled: np.ndarray

    @classmethod
    def fit(cls, scores: list[np.ndarray]) -> "Calibration":
        """Stores the conformity scores of each column (none for a category)."""
        pooled = np.concatenate([*scores, np.zeros(0)])
        by_column = tuple(
            _thin(s) if len(s) >= MIN_COLUMN_SCORES else np.zeros(0) for s in scores
        )
        return cls(scores=by_column, pooled=_thin(pooled))

    def level(self, index: int, nominal: float) -> float:
        """The level whose central interval covers a share `nominal` of the cells.

        Args:
          index: of the column in the codec.
          nominal: the wanted coverage, in [0, 1].
        """
        scores = self.scores[index] if index < len(self.scores) else np.zeros(0)
        if len(scores) == 0:
            scores = self.pooled
        if len(scores) < MIN_POOLED_SCORES:
            return nominal
        n = len(scores)
        rank = math.ceil((n + 1) * nominal - 1e-9)
        return float(np.r_[0.0, scores, 1.0][min(rank, n + 1)])

    def quantile_level(self, index: int, q: float) -> float:
        """The level at which the model's quantile is the calibrated `q`-quantile."""
        return 0.5 + math.copysign(self.level(index, abs(2 * q - 1)), q - 0.5) / 2


def conformity_scores(prediction: Prediction, values: np.ndarray) -> np.ndarray:
    """Level `[n]` in [0, 1] of the narrowest central interval that covers each value.

    For a continuous distribution function F this is `|2 F(x) - 1|`. An atom is covered
    as soon as a bound of the interval falls into its probability mass.

    Args:
      prediction: of n cells of a number.
      values: `[n]` the true values.
    """
    lower, upper = prediction.cdf_bounds(values)
    return np.clip(np.maximum(1 - 2 * upper, 2 * lower - 1), 0.0, 1.0)


def calibrate(model: TableModel, held_out: Iterable[HeldOutCells]) -> Calibration:
    """Calibrates a model by observed cells of rows that it was not trained on.

    They were hidden and predicted again. The whole ensemble, which imputes, is more
    accurate than its members that predicted them, so that its intervals are a little
    too wide.

    Args:
      model: the fitted model.
      held_out: the cells.
    """
    scores: list[list[np.ndarray]] = [[np.zeros(0)] for _ in model.codec.columns]
    for cells in held_out:
        for index, rows, prediction in model.mixed(cells.shown, cells.parts):
            if isinstance(prediction.coder, NumberColumn):
                truth = cells.shown.values[rows, index]
                scores[index].append(conformity_scores(prediction, truth))
    return Calibration.fit([np.concatenate(parts) for parts in scores])


def _thin(scores: np.ndarray) -> np.ndarray:
    """Sorts the scores and thins them to `MAX_SCORES` evenly spaced ones."""
    scores = np.sort(scores)
    if len(scores) <= MAX_SCORES:
        return scores
    return np.quantile(scores, (np.arange(MAX_SCORES) + 0.5) / MAX_SCORES)
