"""Conformal intervals: levels corrected on held-out observed cells."""

import math
from dataclasses import dataclass

import numpy as np

from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.tail_shift import STILL, Ends

ENOUGH = 100
"""Held-out cells from which a column gets a correction of its own."""

KEPT = 400
"""Scores kept per column."""


def level_needed(
    coder: NumberColumn, p: np.ndarray, values: np.ndarray, ends: Ends = STILL
) -> np.ndarray:
    """Level `[n]` in [0, 1] of the central interval that just reaches `values [n]`.

    It is `|2 F(x) - 1|` for a continuous F; an atom is reached by any level whose
    ends fall into its mass. `ends [n, 2]` are those of the quantiles, see `Reach`.
    """
    k = coder.encode(values)
    rows = np.arange(len(p))
    above = np.cumsum(p, axis=1)[rows, k]
    below = above - p[rows, k]
    inside = coder.share_inside(k, coder.inward(k, values, ends))
    atom = coder.atom[k]
    upper = np.where(atom, above, below + p[rows, k] * inside)
    lower = np.where(atom, below, below + p[rows, k] * inside)
    return np.clip(np.maximum(1 - 2 * upper, 2 * lower - 1), 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Corrects nominal levels, by split conformal prediction.

    Attributes:
      scores: per column the sorted `level_needed` of its held-out cells; empty where
        there are fewer than `ENOUGH`.
      pooled: the same over all columns; empty without held-out cells.

    References:
      Vovk et al. 2005; Romano et al. 2019 (arXiv 1905.03222) for the quantile form.
    """

    scores: tuple[np.ndarray, ...]
    pooled: np.ndarray

    @classmethod
    def fit(cls, scores: list[np.ndarray]) -> "Calibration":
        """From the scores of each column (empty for categories)."""
        pooled = np.concatenate([*scores, np.zeros(0)])
        own = tuple(_thin(s) if len(s) >= ENOUGH else np.zeros(0) for s in scores)
        return cls(scores=own, pooled=_thin(pooled))

    def level(self, column: int, nominal: float) -> float:
        """The level to ask of the model so that `nominal` of the cells are covered."""
        scores = self.scores[column] if column < len(self.scores) else np.zeros(0)
        if len(scores) == 0:
            scores = self.pooled
        if len(scores) < 10:
            return nominal
        n = len(scores)
        rank = math.ceil((n + 1) * nominal - 1e-9)
        return float(np.r_[0.0, scores, 1.0][min(rank, n + 1)])

    def quantile_level(self, column: int, q: float) -> float:
        """The share to read the predictive quantile at so that `q` holds in truth."""
        return 0.5 + math.copysign(self.level(column, abs(2 * q - 1)), q - 0.5) / 2


def _thin(scores: np.ndarray) -> np.ndarray:
    """Sorted, and thinned to `KEPT` evenly spaced order statistics."""
    scores = np.sort(scores)
    if len(scores) <= KEPT:
        return scores
    return np.quantile(scores, (np.arange(KEPT) + 0.5) / KEPT)
