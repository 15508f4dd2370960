"""Converts columns into the numbers or texts that figures and tests need."""

import numpy as np
import pandas as pd

from ambient_jax.tabular.frames.kinds import Kind, kind_of, numbers_of, zone_of


def kind(series: pd.Series) -> Kind:
    """Returns the kind of a column; `"category"` for columns without one.

    An imputed table may hold such columns, since columns that cannot be modelled are
    copied as they are.
    """
    try:
        return kind_of(series, series.name)
    except (TypeError, ValueError):
        return "category"


def texts(series: pd.Series) -> pd.Series:
    """Returns the cells as text, missing ones included."""
    return pd.Series([str(cell) for cell in series], dtype=object)


def numbers(series: pd.Series) -> np.ndarray | None:
    """Returns float64 `[n]`, NaN where missing; None for a column of categories.

    Dates are days since 1970, durations days.
    """
    found = kind(series)
    if found == "category":
        return None
    try:
        return numbers_of(series, found, "D", series.name, zone_of(series.dtype))
    except (TypeError, ValueError, OverflowError):
        return None
