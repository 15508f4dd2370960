"""What is predicted of missing cells: point estimates, draws and distributions."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from ambient_jax.tabular.columns.column import Column
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.prediction import Prediction
from ambient_jax.tabular.frames.kinds import from_numbers

Statistic = Literal["auto", "mean", "median", "mode"]
"""Statistics of one cell's distribution, see `point_estimates`."""

STATISTICS: tuple[str, ...] = (*get_args(Statistic), "joint")
"""The values that the parameter `statistic` of `AmbientImputer` may have."""


def column_probabilities(p: np.ndarray, column: Column) -> np.ndarray:
    """`[n, K]` float64 probabilities of the column's K tokens; rows sum to 1.

    Args:
      p: `[n, V]` probabilities of all tokens that a column of the table may have.
      column: with K <= V tokens.
    """
    own = p[:, : column.coder.size].astype(np.float64)
    return own / own.sum(axis=1, keepdims=True)


def point_estimates(
    column: Column, prediction: Prediction, statistic: Statistic, shift: float,
    rounded: bool,
) -> np.ndarray:  # fmt: skip
    """One value `[n]` per missing cell, of the type that the column holds.

    A category has neither mean nor median; its estimate is always the mode.

    Args:
      prediction: of n cells.
      statistic: `auto` is the estimate that suits the column, see `choose_estimate`.
      shift: is added to numbers (to dates in the column's unit).
      rounded: whether `mean` is rounded to the column's decimals too.
    """
    coder = column.coder
    if not isinstance(coder, NumberColumn):
        return coder.decode(prediction.p.argmax(axis=1))
    chosen = column.estimate if statistic == "auto" else statistic
    if chosen == "nearest":
        values = coder.bounds(coder.encode(prediction.expectation()))[0]
    elif chosen == "mean":
        values = prediction.expectation()
        if statistic == "auto" or rounded:
            values = coder.round(values)
    elif chosen == "median":
        values = coder.round(prediction.quantile(0.5))
    else:
        values = coder.round(prediction.mode())
    return from_numbers(values + shift, column.kind, column.unit)


def distributions(
    column: Column, prediction: Prediction, levels: Mapping[float, float], shift: float
) -> pd.DataFrame:
    """The predictive distributions of n missing cells of a column, one per line.

    Args:
      prediction: of the cells.
      levels: for each quantile q the level at which the model's own is read, see
        `Calibration.quantile_level`.
      shift: see `point_estimates`.

    Returns:
      A frame with the columns `mode`, `mean`, `sd`, `q0.05` ... and `probabilities`;
      the last is None for numbers, the three before it are NaN for categories.
    """
    coder = column.coder
    mode = point_estimates(column, prediction, "mode", shift, True)
    table: dict[str, Any] = {"mode": list(mode)}
    if isinstance(coder, NumberColumn):

        def to_cells(numbers):
            return from_numbers(numbers + shift, column.kind, column.unit)

        mean, sd = prediction.moments()
        table |= {"mean": to_cells(mean), "sd": sd}
        for q, level in levels.items():
            table[f"q{q:g}"] = to_cells(prediction.quantile(level))
        table["probabilities"] = [None] * len(mode)
    else:
        undefined = np.full(len(mode), np.nan)
        table |= {"mean": undefined, "sd": undefined}
        table |= {f"q{q:g}": undefined for q in levels}
        table["probabilities"] = [
            dict(zip(coder.values, row.tolist(), strict=True)) for row in prediction.p
        ]
    return pd.DataFrame(table)
