"""Kinds of columns, and conversion of their cells to numbers and back.

Dates and durations are numbers too: multiples of a time unit, dates since 1970.
"""

from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types as pdt

from ambient_jax.tabular.frames.number_text import is_number_text, text_type_of

Kind = Literal["number", "category", "date", "duration"]

MICROSECONDS = {"D": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000,
                "s": 1_000_000, "ms": 1_000, "us": 1}  # fmt: skip
"""Length of each time unit in microseconds, from the largest to the smallest."""

DATE_RANGE = (np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31", "us"))
"""First and last date that an imputed cell can have.

pandas allows more, but Python's `datetime` and dates as text end here."""


def holes_of(frame: pd.DataFrame) -> np.ndarray:
    """Returns `[N, columns]` bool, true where a cell is NaN, None, NaT or pd.NA."""
    return frame.isna().to_numpy()


def kind_of(series: pd.Series, name: Any) -> Kind:
    """Returns the kind of a column's observed cells.

    Text, booleans, times of day, dates with a time zone in a column of objects, and
    objects of mixed types are categories. Numbers that are written as text are numbers.

    Args:
      series: the column.
      name: its name, for error messages.

    Raises:
      ValueError: the dtype is not supported, for example complex or sparse.
      TypeError: a cell holds a container, such as a list.
    """
    dtype = series.dtype
    if pdt.is_complex_dtype(dtype):
        raise ValueError(f"Complex data not supported: column {name!r}")
    if isinstance(dtype, pd.SparseDtype):
        raise ValueError(f"column {name!r} is sparse: use .sparse.to_dense()")
    if isinstance(dtype, pd.CategoricalDtype) or pdt.is_bool_dtype(dtype):
        return "category"
    if pdt.is_datetime64_any_dtype(dtype):
        return "date"
    if getattr(dtype, "kind", "") == "m":
        return "duration"
    if pdt.is_numeric_dtype(dtype):
        return "number"
    if pdt.is_object_dtype(dtype):
        return _kind_of_objects(series.dropna(), name)
    if pdt.is_string_dtype(dtype):
        return "number" if is_number_text(series.dropna()) else "category"
    if isinstance(dtype, pd.ArrowDtype) and pa.types.is_time(dtype.pyarrow_dtype):
        return "category"
    raise ValueError(
        f"column {name!r} has type {dtype}, which cannot be imputed; convert it to "
        "numbers, text, datetime64 or category"
    )


def _kind_of_objects(cells: pd.Series, name: Any) -> Kind:
    """Returns the kind of the observed cells of a column of objects."""
    found = pd.api.types.infer_dtype(cells, skipna=True)
    for cell in cells:
        if not isinstance(cell, str | bytes) and not np.isscalar(cell):
            if isinstance(cell, list | dict | set | np.ndarray):
                raise TypeError(
                    f"argument must be a string or a number: column {name!r} holds a "
                    f"{type(cell).__name__}"
                )
            break
    if found == "complex":
        raise ValueError(f"Complex data not supported: column {name!r}")
    if found in ("integer", "floating", "mixed-integer-float", "decimal"):
        return "number"
    if found == "date" or (
        found == "datetime" and all(c.tzinfo is None for c in cells)
    ):
        return "date"
    return "number" if is_number_text(cells) else "category"


def numbers_of(
    series: pd.Series, kind: Kind, unit: str, name: Any, zone: Any = None
) -> np.ndarray:
    """Converts the cells of a column to float64 `[n]`, NaN where missing.

    Args:
      series: `[n]`, the column.
      kind: the kind that it had in fit.
      unit: time unit of the result for dates and durations (a key of `MICROSECONDS`).
      name: name of the column, for error messages.
      zone: time zone in whose local time dates are counted; None if they have none.

    Raises:
      ValueError: a cell is infinite or not of this kind; the message names the column.
    """
    try:
        if kind in ("date", "duration"):
            counts = _microseconds(series, kind, zone)
            return counts.to_numpy(np.float64, na_value=np.nan) / MICROSECONDS[unit]
        out = series.to_numpy(np.float64, na_value=np.nan)
    except OverflowError:
        out = np.array([np.inf])  # a whole number that no double can hold
    except (TypeError, ValueError) as error:
        plural = {"date": "dates", "duration": "durations"}.get(kind, "numbers")
        raise ValueError(
            f"could not convert string to float: column {name!r} held {plural} in fit "
            f"and now holds something else ({error})"
        ) from error
    if np.isinf(out).any():
        raise ValueError(
            f"Input X contains infinity or a value too large for dtype('float64'): "
            f"column {name!r}; replace it by NaN if it means missing"
        )
    return out


def _microseconds(series: pd.Series, kind: Kind, zone: Any) -> pd.Series:
    """Converts dates or durations to microseconds, as `Int64` with NA where missing.

    Dates count from 1970 in the local time of `zone`, so that a day that begins at the
    zone's midnight is a whole number of days.

    Raises:
      TypeError: the column is of another kind, or only one of it and `zone` has a zone.
    """
    if not series.notna().any():
        return pd.Series(pd.NA, index=series.index, dtype="Int64")
    if kind_of(series, series.name) != kind:
        raise TypeError(f"{series.dtype}")
    if kind == "date":
        if (zone_of(series.dtype) is None) != (zone is None):
            raise TypeError(f"{series.dtype}, with a time zone on one side only")
        if pdt.is_object_dtype(series.dtype):
            cells = series.astype(object).where(series.notna(), None).to_numpy()
            series = pd.Series(cells.astype("datetime64[us]"), index=series.index)
        series = pd.to_datetime(series)
        if series.dt.tz is not None:
            series = series.dt.tz_convert(zone).dt.tz_localize(None)
        stamps = series.astype("datetime64[us]")
    else:
        stamps = pd.to_timedelta(series).astype("timedelta64[us]")
    counts = stamps.astype("int64").astype("Int64")
    return counts.mask(series.isna())


def unit_of(series: pd.Series, kind: Kind) -> str:
    """Returns the largest time unit that divides every observed date or duration.

    The result is a key of `MICROSECONDS`, or "" for a column of another kind.
    """
    if kind not in ("date", "duration"):
        return ""
    counts = (
        _microseconds(series, kind, zone_of(series.dtype)).dropna().to_numpy(np.int64)
    )
    return next(u for u, size in MICROSECONDS.items() if not (counts % size).any())


def from_numbers(values: np.ndarray, kind: Kind, unit: str) -> np.ndarray:
    """Converts numbers `[n]` in `unit` to the kind of the column.

    This is the inverse of `numbers_of`: dates and durations become `datetime64[us]` and
    `timedelta64[us]`, without a time zone; other numbers stay as they are.
    """
    if kind not in ("date", "duration"):
        return values
    counts = np.round(values * MICROSECONDS[unit]).astype(np.int64)
    dtype = "datetime64" if kind == "date" else "timedelta64"
    return counts.astype(f"{dtype}[us]")


def in_date_range(dates: np.ndarray) -> bool:
    """Whether all dates `[n]` lie within `DATE_RANGE`, whose ends are included."""
    return bool(((dates >= DATE_RANGE[0]) & (dates <= DATE_RANGE[1])).all())


def precision_of(dtype: Any) -> float:
    """Returns the machine epsilon of a floating-point dtype, and 0 for other dtypes."""
    dtype = getattr(dtype, "numpy_dtype", dtype)
    floats = isinstance(dtype, np.dtype) and dtype.kind == "f"
    return float(np.finfo(dtype).eps) if floats else 0.0


def limits_of(dtype: Any) -> tuple[float, float]:
    """Returns the smallest and the largest double that a column of a dtype can hold."""
    dtype = getattr(dtype, "numpy_dtype", dtype)
    kind = dtype.kind if isinstance(dtype, np.dtype) else "O"
    if kind not in "iu":
        narrow = kind == "f" and dtype.itemsize < 8
        high = float(np.finfo(dtype if narrow else np.float64).max)
        return -high, high
    limits = np.iinfo(dtype)
    high = float(limits.max)
    if int(high) > limits.max:  # 2**63 - 1 is no double and would become 2**63
        high = float(np.nextafter(high, 0))
    return float(limits.min), high


def holds_text(dtype: Any) -> bool:
    """Whether a column of a dtype can hold text cells that are not categories."""
    categories = isinstance(dtype, pd.CategoricalDtype)
    return pdt.is_string_dtype(dtype) and not categories


def object_type_of(series: pd.Series) -> str:
    """Returns the Python type of the numbers or dates in a column of objects or text.

    The result is "integer", "decimal", "date" or "datetime"; "text" or "whole text" for
    numbers that are written as text; it is "" for any other type, such as floats, and
    for a column of another dtype.
    """
    if holds_text(series.dtype) and is_number_text(series.dropna()):
        return text_type_of(series)
    if not pdt.is_object_dtype(series.dtype):
        return ""
    found = pd.api.types.infer_dtype(series, skipna=True)
    return found if found in ("integer", "decimal", "date", "datetime") else ""


def zone_of(dtype: Any) -> Any:
    """Returns the time zone of a dtype, or None if it has none."""
    if isinstance(dtype, pd.ArrowDtype):
        return getattr(dtype.pyarrow_dtype, "tz", None)
    return dtype.tz if isinstance(dtype, pd.DatetimeTZDtype) else None
