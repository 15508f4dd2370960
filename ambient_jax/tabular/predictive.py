"""What is told of one missing cell: a point, a distribution, or a draw."""

from typing import Any, Literal

import numpy as np
import pandas as pd

from ambient_jax.tabular.calibration import Calibration
from ambient_jax.tabular.columns.codec import Column
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.tail_shift import Ends
from ambient_jax.tabular.frames.kinds import from_numbers

Statistic = Literal["auto", "mean", "median", "mode"]
STATISTICS = ("auto", "mean", "median", "mode")


def own_probabilities(p: np.ndarray, column: Column, least: np.ndarray) -> np.ndarray:
    """`[n, K]` float64 over the column's own tokens, summing to 1.

    The lowest and the highest have the probabilities `least [n, 2]` at least, and the
    others share what is left.
    """
    own = p[:, : column.coder.size].astype(np.float64)
    own /= own.sum(axis=1, keepdims=True)
    for end, k in ((0, 0), (1, -1)):
        added = lacking(own[:, k], least[:, end])
        own *= 1 - added[:, None]
        own[:, k] += added
    return own


def lacking(p: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Share `[n]` of all draws that must become a token with `p` to have `least`."""
    return np.maximum(least - p, 0.0) / np.maximum(1.0 - p, 1e-300)


def point(
    column: Column, p: np.ndarray, statistic: Statistic, delta: float, exact: bool,
    ends: Ends,
) -> np.ndarray:  # fmt: skip
    """One value `[n]` per cell, as the column holds them.

    `auto` is the mean of a number, rounded to the decimals that the column has, and
    the most probable category. A category has no mean and no median: its mode.

    Args:
      p: `[n, K]` token probabilities.
      delta: added to numbers (in days, hours, ... for dates).
      exact: whether the column can hold a mean that is not rounded.
      ends: `[n, 2]` of the outermost tokens, see `Reach`.
    """
    coder = column.coder
    if not isinstance(coder, NumberColumn):
        return coder.decode(p.argmax(axis=1))
    if statistic in ("auto", "mean"):
        values, _ = coder.moments(p, ends)
        if statistic == "auto" or not exact:
            values = coder.round(values, ends)
    elif statistic == "median":
        values = coder.round(coder.quantile(p, np.full(len(p), 0.5), ends), ends)
    else:
        k = p.argmax(axis=1)
        values = np.where(coder.atom[k], coder.low[k], coder.mean[k])
        values = coder.round(coder.outward(k, values, ends), ends)
    return from_numbers(values + delta, column.kind, column.unit)


def drawn(
    column: Column, tokens: np.ndarray, uniforms: np.ndarray, delta: float,
    ends: Ends,
) -> np.ndarray:  # fmt: skip
    """Values `[n]` of drawn tokens; `ends [n, 2]` as in `point`."""
    coder = column.coder
    if not isinstance(coder, NumberColumn):
        return coder.decode(tokens.astype(np.int64))
    values = coder.decode(tokens.astype(np.int64), uniforms, ends) + delta
    return from_numbers(values, column.kind, column.unit)


def describe(
    column: Column, number: int, p: np.ndarray, quantiles: tuple[float, ...],
    calibration: Calibration, delta: float, ends: Ends,
) -> pd.DataFrame:  # fmt: skip
    """One line per cell: mean, sd, calibrated quantiles, mode, class probabilities."""
    coder = column.coder
    mode = point(column, p, "mode", delta, False, ends)
    table: dict[str, Any] = {"mode": list(mode)}
    if isinstance(coder, NumberColumn):

        def back(x):
            return from_numbers(x + delta, column.kind, column.unit)

        mean, sd = coder.moments(p, ends)
        table |= {"mean": back(mean), "sd": sd}
        for q in quantiles:
            level = calibration.quantile_level(number, q)
            levels = np.full(len(p), level)
            table[f"q{q:g}"] = back(coder.quantile(p, levels, ends))
        table["probabilities"] = [None] * len(p)
    else:
        nothing = np.full(len(p), np.nan)
        table |= {"mean": nothing, "sd": nothing}
        table |= {f"q{q:g}": nothing for q in quantiles}
        table["probabilities"] = [
            dict(zip(coder.values, row.tolist(), strict=True)) for row in p
        ]
    return pd.DataFrame(table)
