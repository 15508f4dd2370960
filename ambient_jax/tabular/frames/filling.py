"""Fills the missing cells of a column and preserves its dtype."""

from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types as pdt

from ambient_jax.tabular.frames.kinds import holds_text, in_date_range, zone_of
from ambient_jax.tabular.frames.number_text import TEXT_TYPES, to_text


def fill_cells(
    series: pd.Series, positions: np.ndarray, values: np.ndarray,
    object_type: str = "", zone: Any = None,
) -> pd.Series:  # fmt: skip
    """Returns a copy of a column with new values in some cells.

    The dtype stays the same, with three exceptions: a categorical dtype gains the
    categories that it lacks, a column without any observed value takes the dtype of
    the dates that fill it, and one of floats becomes one of objects if the values are
    not numbers (pandas stores text that is all missing as floats).

    Args:
      series: `[n]`, the column.
      positions: `[m]` ints, the positions of the cells to fill.
      values: `[m]`, their values; dates in local time, without a time zone.
      object_type: what numbers or dates become in a column of objects or text, see
        `kinds.object_type_of`.
      zone: time zone of the dates; None if they have none.

    Raises:
      ValueError: a value is out of the range of the dtype.
      TypeError: the dtype cannot hold values of this type.
    """
    if len(positions) == 0:
        return series.copy()
    if isinstance(series.dtype, pd.CategoricalDtype):
        return _fill_categories(series, positions, values)
    if values.dtype.kind in "mM" and not object_type:
        series = _with_date_dtype(series, values, zone)
    if zone_of(series.dtype) is not None and values.dtype != object:
        return _fill_zoned(series, positions, values, zone)
    dtype: Any = series.dtype
    out = series.copy()
    if object_type in TEXT_TYPES and holds_text(dtype):
        values = to_text(values, object_type)
    elif pdt.is_integer_dtype(dtype):
        values = _to_integers(values.astype(np.float64), dtype, series.name)
    elif pdt.is_object_dtype(dtype):
        values = _to_objects(values, object_type, series.name)
    elif pdt.is_float_dtype(dtype) and values.dtype == object:
        if all(isinstance(v, Number) and not isinstance(v, bool) for v in values):
            values = values.astype(getattr(dtype, "numpy_dtype", dtype))
        else:
            out = out.astype(object)
    elif pdt.is_float_dtype(dtype):
        values = _to_floats(values.astype(np.float64), dtype, series.name)
    elif pdt.is_bool_dtype(dtype):
        if not all(isinstance(v, bool | np.bool_) for v in values):
            raise TypeError("they are not true or false")
        values = values.astype(bool)
    out.iloc[positions] = values
    return out


def _fill_categories(
    series: pd.Series, positions: np.ndarray, values: np.ndarray
) -> pd.Series:
    """Fills cells of a categorical column and adds the categories that it lacks."""
    old = series.cat.categories
    new = [v for v in pd.unique(pd.Series(values)) if v not in old]
    out = series.cat.add_categories(new) if new else series.copy()
    # pandas stores codes in the smallest type; int64 holds those of new categories.
    codes = np.array(out.cat.codes).astype(np.int64)
    codes[positions] = out.cat.categories.get_indexer(pd.Index(values))
    return pd.Series(
        pd.Categorical.from_codes(codes, dtype=out.dtype), index=series.index,
        name=series.name,
    )  # fmt: skip


def _with_date_dtype(series: pd.Series, dates: np.ndarray, zone: Any) -> pd.Series:
    """Gives a column without any observed value the dtype of `dates`.

    pandas stores such a column as floats or objects.
    """
    if series.dtype.kind in "mM" or series.notna().any():
        return series
    dtype = dates.dtype if zone is None else pd.DatetimeTZDtype("us", zone)
    return pd.Series(pd.NaT, series.index, dtype, series.name)


def _fill_zoned(
    series: pd.Series, positions: np.ndarray, dates: np.ndarray, zone: Any
) -> pd.Series:
    """Fills cells of a column with a time zone by `dates` in the local time of `zone`.

    Where clocks are set back, a time that occurs twice means its first occurrence;
    where they are set forward, a time that is skipped becomes the next one that exists.
    """
    out = series.copy()
    stamps = pd.Series(dates).dt.tz_localize(
        zone, ambiguous=np.ones(len(dates), bool), nonexistent="shift_forward"
    )
    converted = stamps.dt.tz_convert(zone_of(series.dtype)).astype(series.dtype)
    out.iloc[positions] = converted.array
    return out


def _to_integers(values: np.ndarray, dtype: Any, name: Any) -> np.ndarray:
    """Rounds values to the integers of `dtype`.

    Raises:
      ValueError: a value is out of range; the message names the column.
    """
    limits = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
    values = np.round(values)
    outside = (values < limits.min) | (values > limits.max)
    if outside.any():
        raise _out_of_range(values[outside][0], dtype, name)
    return values.astype(limits.dtype)


def _to_floats(values: np.ndarray, dtype: Any, name: Any) -> np.ndarray:
    """Converts values to the floats of `dtype`.

    Raises:
      ValueError: a value is infinite there; the message names the column.
    """
    with np.errstate(over="ignore"):
        floats = values.astype(getattr(dtype, "numpy_dtype", dtype))
    infinite = ~np.isfinite(floats)
    if infinite.any():
        raise _out_of_range(values[infinite][0], dtype, name)
    return floats


def _out_of_range(value: float, dtype: Any, name: Any) -> ValueError:
    return ValueError(
        f"column {name!r} of type {dtype} cannot hold the imputed value {value:g}; "
        "change its delta or convert it to a wider type"
    )


def _to_objects(values: np.ndarray, object_type: str, name: Any) -> np.ndarray:
    """Converts values to Python objects; see `kinds.object_type_of` for the types.

    Raises:
      ValueError: a date is outside of `DATE_RANGE`; the message names the column.
    """
    out = np.empty(len(values), object)
    if object_type == "integer":
        out[:] = [int(v) for v in np.round(values)]
    elif object_type == "decimal":
        out[:] = [Decimal(repr(v)) for v in values.tolist()]
    elif object_type in ("date", "datetime"):
        if not in_date_range(values):
            raise ValueError(
                f"column {name!r} cannot hold an imputed date outside the years 1 to "
                "9999; change its delta"
            )
        unit = "D" if object_type == "date" else "us"
        out[:] = values.astype(f"datetime64[{unit}]").tolist()
    else:
        out[:] = values.tolist() if values.dtype.kind in "fiub" else list(values)
    return out
