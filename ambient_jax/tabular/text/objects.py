"""Texts among numbers and dates in a column of Python objects."""

import datetime as dt
from collections import Counter
from collections.abc import Collection
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd

from ambient_jax.tabular.text.column import look_like_dates
from ambient_jax.tabular.text.markers import markers_beside_values
from ambient_jax.tabular.text.numbers import DECIMAL_SIGNS, are_numbers


def find_markers(cells: pd.Series) -> dict[str, int]:
    """Returns the texts that mean missing beside numbers or dates, with their counts.

    Numbers and dates may be objects or texts. In a column of other texts nothing means
    missing: unlike a file, a frame has cells that are missing by themselves.

    Args:
      cells: `[n]` of any dtype.
    """
    observed = cells.dropna().tolist()
    counts = Counter(cell.strip() for cell in observed if isinstance(cell, str))
    values = sum(_is_value(cell) for cell in observed)
    if values + counts.total() < len(observed):
        return {}
    words = pd.Index(list(counts), dtype="str")
    is_value = np.logical_or.reduce(
        [look_like_dates(words), *(are_numbers(words, sign) for sign in DECIMAL_SIGNS)]
    )
    others = {word: counts[word] for word in words[~is_value]}
    values += counts.total() - sum(others.values())
    found = markers_beside_values(others, values)
    return {word: others[word] for word in found or ()}


def without_markers(cells: pd.Series, markers: Collection[str]) -> pd.Series:
    """Returns the cells, missing where a text, without blanks around, is a marker."""
    is_marker = [isinstance(cell, str) and cell.strip() in markers for cell in cells]
    return cells.mask(np.array(is_marker, bool)) if any(is_marker) else cells


def _is_value(cell: Any) -> bool:
    """Whether a cell is a number or a date, and no boolean."""
    values = (Number, dt.date, dt.timedelta, np.datetime64, np.timedelta64)
    return isinstance(cell, values) and not isinstance(cell, bool | np.bool_)
