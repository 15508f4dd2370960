"""One column of a frame: what kind it is, its numbers, its limits."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types as pdt

Kind = Literal["number", "category", "date", "duration"]

UNITS = {"D": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000,
         "ms": 1_000, "us": 1}  # fmt: skip
"""Microseconds of the steps in which dates are counted."""

YEARS = (np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31", "us"))
"""First and last day that Python's own dates, and texts of dates, can be."""


def holes_of(frame: pd.DataFrame) -> np.ndarray:
    """Returns `[N, columns]` bool, true where a cell is NaN, None, NaT or pd.NA."""
    return frame.isna().to_numpy()


def kind_of(series: pd.Series, name: Any) -> Kind:
    """What the observed cells of a column are.

    Raises:
      ValueError: complex numbers, or another type that has no meaning here.
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
        return "category"
    raise ValueError(
        f"column {name!r} has type {dtype}, which cannot be imputed; convert it to "
        "numbers, text, datetime64 or category"
    )


def _kind_of_objects(cells: pd.Series, name: Any) -> Kind:
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
    return "category"


def numbers_of(
    series: pd.Series, kind: Kind, unit: str, name: Any, zone: Any = None
) -> np.ndarray:
    """float64 `[n]`, NaN where missing; dates in `unit`s since 1970, by `zone`'s clock.

    Raises:
      ValueError: an infinity, or cells that are not numbers.
    """
    try:
        if kind in ("date", "duration"):
            whole = _microseconds(series, kind, zone)
            return whole.to_numpy(np.float64, na_value=np.nan) / UNITS[unit]
        out = series.to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        was = {"date": "dates", "duration": "durations"}.get(kind, "numbers")
        raise ValueError(
            f"could not convert string to float: column {name!r} held {was} in fit "
            f"and now holds something else ({error})"
        ) from error
    if np.isinf(out).any():
        raise ValueError(
            f"Input X contains infinity or a value too large for dtype('float64'): "
            f"column {name!r}; replace it by NaN if it means missing"
        )
    return out


def _microseconds(series: pd.Series, kind: Kind, zone: Any) -> pd.Series:
    """Since 1970 by the clock of the time zone; `Int64`, NA if missing."""
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
    whole = stamps.astype("int64").astype("Int64")
    return whole.mask(series.isna())


def unit_of(series: pd.Series, kind: Kind) -> str:
    """The largest step that every observed date is a whole number of."""
    if kind not in ("date", "duration"):
        return ""
    whole = (
        _microseconds(series, kind, zone_of(series.dtype)).dropna().to_numpy(np.int64)
    )
    return next(u for u, size in UNITS.items() if not (whole % size).any())


def from_numbers(values: np.ndarray, kind: Kind, unit: str) -> np.ndarray:
    """Numbers back to what the column holds: themselves, dates or durations."""
    if kind not in ("date", "duration"):
        return values
    whole = np.round(values * UNITS[unit]).astype(np.int64)
    letter = "datetime64" if kind == "date" else "timedelta64"
    return whole.astype(f"{letter}[us]")


def in_years(dates: np.ndarray) -> bool:
    """Whether all dates lie within `YEARS`."""
    return bool(((dates >= YEARS[0]) & (dates <= YEARS[1])).all())


def limits_of(dtype: Any, kind: Kind, unit: str) -> tuple[float, float]:
    """The least and the greatest number, as in `numbers_of`, that a dtype can hold."""
    if kind in ("date", "duration"):
        # Whatever the dtype counts in, what is put into it counts microseconds.
        most = np.iinfo(np.int64).max / (1000 if "[ns" in str(dtype) else 1)
        most *= 0.999 / UNITS[unit]
        if kind == "duration":
            return -most, most
        first, last = np.array(YEARS).astype(np.int64) / UNITS[unit]
        return max(first, -most), min(last, most)
    dtype = getattr(dtype, "numpy_dtype", dtype)
    if not isinstance(dtype, np.dtype) or dtype.kind not in "iuf":
        return -np.inf, np.inf
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return float(limits.min), float(limits.max)


def precision_of(dtype: Any) -> float:
    """How exactly, relatively, a dtype of floats holds a fraction; 0 of others."""
    dtype = getattr(dtype, "numpy_dtype", dtype)
    floats = isinstance(dtype, np.dtype) and dtype.kind == "f"
    return float(np.finfo(dtype).eps) if floats else 0.0


def objects_of(series: pd.Series) -> str:
    """What the numbers or dates of an object column are.

    `integer`, `decimal`, `date`, `datetime`; "" for floats and for other dtypes.
    """
    if not pdt.is_object_dtype(series.dtype):
        return ""
    found = pd.api.types.infer_dtype(series, skipna=True)
    return found if found in ("integer", "decimal", "date", "datetime") else ""


def zone_of(dtype: Any) -> Any:
    """The time zone of a column of dates; None if it has none."""
    if isinstance(dtype, pd.ArrowDtype):
        return getattr(dtype.pyarrow_dtype, "tz", None)
    return dtype.tz if isinstance(dtype, pd.DatetimeTZDtype) else None
