"""Split conformal calibration of the quantiles that a table model predicts."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from ambient_jax import keys
from ambient_jax.data.missingness import MCAR, mask_tokens
from ambient_jax.tabular.columns.codec import Encoded
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.fitting.network import out_of_fold
from ambient_jax.tabular.model import TableModel
from ambient_jax.tabular.predictive import column_probabilities

MIN_COLUMN_SCORES = 100
"""Conformity scores from which a column is calibrated by itself. With fewer of them
its extreme levels would be too noisy, and the scores of all columns are used."""

MIN_POOLED_SCORES = 10
"""Conformity scores without which levels are not corrected at all."""

MAX_SCORES = 400
"""Conformity scores stored per column: a level is then exact to 1/400."""

NUM_REPEATS = 9
"""How often cells of the held-out rows are hidden, other ones each time. About six in
ten of the observed cells are then hidden at least once."""

HIDDEN_SHARE = 0.1
"""Share of the held-out rows' cells that is hidden at a time. It is small, so that the
cells that stay visible say as much as those of a row to be imputed."""


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


def conformity_scores(
    coder: NumberColumn, p: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Level `[n]` in [0, 1] of the narrowest central interval that covers each value.

    For a continuous distribution function F this is `|2 F(x) - 1|`. An atom is covered
    as soon as a bound of the interval falls into its probability mass.

    Args:
      p: `[n, K]` predicted probabilities of the column's tokens.
      values: `[n]` the true values.
    """
    k = coder.encode(values)
    rows = np.arange(len(p))
    above = np.cumsum(p, axis=1)[rows, k]
    below = above - p[rows, k]
    inside = coder.cdf_inside(k, values)
    atom = coder.atom[k]
    upper = np.where(atom, above, below + p[rows, k] * inside)
    lower = np.where(atom, below, below + p[rows, k] * inside)
    return np.clip(np.maximum(1 - 2 * upper, 2 * lower - 1), 0.0, 1.0)


def calibrate(
    model: TableModel, encoded: Encoded, excluded_rows: np.ndarray, seed: int
) -> Calibration:
    """Calibrates a model by observed cells of rows that it was not trained on.

    The cells are hidden and predicted again. Where the model is an ensemble, each row
    is predicted by the networks that were not trained on it. The whole ensemble, which
    imputes, is more accurate than they are, so that its intervals are a little too
    wide.

    Args:
      model: the fitted model.
      encoded: the N rows of `fit`.
      excluded_rows: `[N, K]` bool, True where a row is excluded from the training of
        one of the K networks.
      seed: of the choice of hidden cells.
    """
    rows = np.flatnonzero(excluded_rows.any(axis=1))
    judge, context = out_of_fold(
        model.denoiser, encoded.context[rows], excluded_rows[rows]
    )
    if judge is not model.denoiser:
        model = dataclasses.replace(model, denoiser=judge)
    mask, few = model.codec.num_values, MCAR(rate=HIDDEN_SHARE)
    scores: list[list[np.ndarray]] = [[np.zeros(0)] for _ in model.codec.columns]
    for repeat in range(NUM_REPEATS if len(rows) else 0):
        rng = keys.host_rng(seed, keys.Purpose.EVALUATION, 2, repeat)
        shown = Encoded(
            tokens=mask_tokens(few, encoded.tokens[rows], mask, rng),
            context=context, values=encoded.values[rows],
        )  # fmt: skip
        _add_scores(scores, model, shown)
    return Calibration.fit([np.concatenate(parts) for parts in scores])


def _add_scores(
    scores: list[list[np.ndarray]], model: TableModel, shown: Encoded
) -> None:
    """Appends the conformity scores of hidden numbers, to the list of each column."""
    for rows, p in model.probabilities(shown, np.arange(len(shown.tokens))):
        for i, column in enumerate(model.codec.columns):
            if not isinstance(column.coder, NumberColumn):
                continue
            truth = shown.values[rows, i]
            hidden = np.isfinite(truth)
            hidden &= shown.tokens[rows, i] == model.codec.num_values
            own = column_probabilities(p[hidden, i], column)
            scores[i].append(conformity_scores(column.coder, own, truth[hidden]))


def _thin(scores: np.ndarray) -> np.ndarray:
    """Sorts the scores and thins them to `MAX_SCORES` evenly spaced ones."""
    scores = np.sort(scores)
    if len(scores) <= MAX_SCORES:
        return scores
    return np.quantile(scores, (np.arange(MAX_SCORES) + 0.5) / MAX_SCORES)
