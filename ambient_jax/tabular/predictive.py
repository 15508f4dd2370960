"""What is predicted of missing cells: point estimates, draws and distributions."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from ambient_jax.tabular.columns.column import Column
from ambient_jax.tabular.columns.number import NumberColumn
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
    column: Column, p: np.ndarray, statistic: Statistic, shift: float,
    rounded: bool,
) -> np.ndarray:  # fmt: skip
    """One value `[n]` per missing cell, of the type that the column holds.

    A category has neither mean nor median; its estimate is always the mode.

    Args:
      p: `[n, K]` token probabilities.
      statistic: `auto` is the estimate that suits the column, see `choose_estimate`.
      shift: is added to numbers (to dates in the column's unit).
      rounded: whether `mean` is rounded to the column's decimals too.
    """
    coder = column.coder
    if not isinstance(coder, NumberColumn):
        return coder.decode(p.argmax(axis=1))
    chosen = column.estimate if statistic == "auto" else statistic
    if chosen == "nearest":
        values = coder.low[coder.encode(coder.expectation(p))]
    elif chosen == "mean":
        values = coder.expectation(p)
        if statistic == "auto" or rounded:
            values = coder.round(values)
    elif chosen == "median":
        values = coder.round(coder.quantile(p, np.full(len(p), 0.5)))
    else:
        return central_values(column, p.argmax(axis=1), shift)
    return from_numbers(values + shift, column.kind, column.unit)


def central_values(column: Column, tokens: np.ndarray, shift: float) -> np.ndarray:
    """Values `[n]` that stand for tokens: of a bin its mean, as the column rounds it.

    Args:
      tokens: `[n]` without MASK.
      shift: see `point_estimates`.
    """
    coder, k = column.coder, tokens.astype(np.int64)
    if not isinstance(coder, NumberColumn):
        return coder.decode(k)
    values = coder.round(coder.central_value(k)) + shift
    return from_numbers(values, column.kind, column.unit)


def values_of_tokens(
    column: Column, tokens: np.ndarray, uniforms: np.ndarray, shift: float
) -> np.ndarray:
    """Values `[n]` of drawn tokens, of the type that the column holds.

    Args:
      tokens: `[n]` without MASK.
      uniforms: `[n]` in [0, 1); a number is drawn inside its bin by them.
      shift: see `point_estimates`.
    """
    coder = column.coder
    if not isinstance(coder, NumberColumn):
        return coder.decode(tokens.astype(np.int64))
    values = coder.decode(tokens.astype(np.int64), uniforms) + shift
    return from_numbers(values, column.kind, column.unit)


def distributions(
    column: Column, p: np.ndarray, levels: Mapping[float, float], shift: float
) -> pd.DataFrame:
    """The predictive distributions of n missing cells of a column, one per line.

    Args:
      p: `[n, K]` token probabilities.
      levels: for each quantile q the level at which the model's own is read, see
        `Calibration.quantile_level`.
      shift: see `point_estimates`.

    Returns:
      A frame with the columns `mode`, `mean`, `sd`, `q0.05` ... and `probabilities`;
      the last is None for numbers, the three before it are NaN for categories.
    """
    coder = column.coder
    mode = point_estimates(column, p, "mode", shift, True)
    table: dict[str, Any] = {"mode": list(mode)}
    if isinstance(coder, NumberColumn):

        def to_cells(numbers):
            return from_numbers(numbers + shift, column.kind, column.unit)

        mean, sd = coder.moments(p)
        table |= {"mean": to_cells(mean), "sd": sd}
        for q, level in levels.items():
            quantile = coder.quantile(p, np.full(len(p), level))
            table[f"q{q:g}"] = to_cells(quantile)
        table["probabilities"] = [None] * len(p)
    else:
        undefined = np.full(len(p), np.nan)
        table |= {"mean": undefined, "sd": undefined}
        table |= {f"q{q:g}": undefined for q in levels}
        table["probabilities"] = [
            dict(zip(coder.values, row.tolist(), strict=True)) for row in p
        ]
    return pd.DataFrame(table)
