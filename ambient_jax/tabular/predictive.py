"""What is told of one missing cell: a point, a distribution, or a draw."""

from typing import Any, Literal

import numpy as np
import pandas as pd

from ambient_jax.tabular.calibration import Calibration
from ambient_jax.tabular.codec import Column
from ambient_jax.tabular.number import NumberColumn
from ambient_jax.tabular.series import from_numbers

Statistic = Literal["auto", "mean", "median", "mode"]
STATISTICS = ("auto", "mean", "median", "mode")


def own_probabilities(p: np.ndarray, column: Column) -> np.ndarray:
    """`[n, K]` float64 over the column's own tokens, summing to 1."""
    own = p[:, : column.coder.size].astype(np.float64)
    return own / own.sum(axis=1, keepdims=True)


def point(
    column: Column, p: np.ndarray, statistic: Statistic, delta: float, exact: bool
) -> np.ndarray:
    """One value `[n]` per cell, as the column holds them.

    `auto` is the mean of a number, rounded to the decimals that the column has, and
    the most probable category. A category has no mean and no median: its mode.

    Args:
      p: `[n, K]` token probabilities.
      delta: added to numbers (in days, hours, ... for dates).
      exact: whether the column can hold a mean that is not rounded.
    """
    coder = column.coder
    if not isinstance(coder, NumberColumn):
        return coder.decode(p.argmax(axis=1))
    if statistic in ("auto", "mean"):
        values, _ = coder.moments(p)
        if statistic == "auto" or not exact:
            values = coder.round(values)
    elif statistic == "median":
        values = coder.round(coder.quantile(p, np.full(len(p), 0.5)))
    else:
        k = p.argmax(axis=1)
        values = coder.round(np.where(coder.atom[k], coder.low[k], coder.mean[k]))
    return from_numbers(values + delta, column.kind, column.unit)


def drawn(
    column: Column, tokens: np.ndarray, uniforms: np.ndarray, delta: float
) -> np.ndarray:
    """Values `[n]` of drawn tokens."""
    coder = column.coder
    if not isinstance(coder, NumberColumn):
        return coder.decode(tokens.astype(np.int64))
    values = coder.decode(tokens.astype(np.int64), uniforms) + delta
    return from_numbers(values, column.kind, column.unit)


def describe(
    column: Column, number: int, p: np.ndarray, quantiles: tuple[float, ...],
    calibration: Calibration, delta: float,
) -> pd.DataFrame:  # fmt: skip
    """One line per cell: mean, sd, calibrated quantiles, mode, class probabilities."""
    coder = column.coder
    mode = point(column, p, "mode", delta, False)
    table: dict[str, Any] = {"mode": list(mode)}
    if isinstance(coder, NumberColumn):

        def back(x):
            return from_numbers(x + delta, column.kind, column.unit)

        mean, sd = coder.moments(p)
        table |= {"mean": back(mean), "sd": sd}
        for q in quantiles:
            level = calibration.quantile_level(number, q)
            table[f"q{q:g}"] = back(coder.quantile(p, np.full(len(p), level)))
        table["probabilities"] = [None] * len(p)
    else:
        nothing = np.full(len(p), np.nan)
        table |= {"mean": nothing, "sd": nothing}
        table |= {f"q{q:g}": nothing for q in quantiles}
        table["probabilities"] = [
            dict(zip(coder.values, row.tolist(), strict=True)) for row in p
        ]
    return pd.DataFrame(table)
