"""Columns as the numbers that a picture or a test needs."""

import numpy as np
import pandas as pd

from ambient_jax.tabular.frames.kinds import Kind, kind_of, numbers_of, zone_of


def kind(series: pd.Series) -> Kind:
    """What a column holds; a category where it is not known."""
    try:
        return kind_of(series, series.name)
    except (TypeError, ValueError):  # of a column that was only copied
        return "category"


def texts(series: pd.Series) -> pd.Series:
    """Cells as text, whatever they are."""
    return pd.Series([str(cell) for cell in series], dtype=object)


def numbers(series: pd.Series) -> np.ndarray | None:
    """float64 `[n]`, NaN where missing, dates in days since 1970.

    None of categories.
    """
    found = kind(series)
    if found == "category":
        return None
    try:
        return numbers_of(series, found, "D", series.name, zone_of(series.dtype))
    except (TypeError, ValueError, OverflowError):
        return None
