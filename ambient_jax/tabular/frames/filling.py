"""Holes of a column filled, in its own type."""

from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types as pdt

from ambient_jax.tabular.frames.kinds import in_years, zone_of


def fill(
    series: pd.Series, where: np.ndarray, values: np.ndarray, objects: str = "",
    zone: Any = None,
) -> pd.Series:  # fmt: skip
    """A copy with `values [m]` at the m positions `where`; the dtype stays.

    `objects` are what numbers become in an object column, see `objects_of`; dates are
    told by the clock of `zone`. Where the dtype cannot hold them (an all-missing float
    column of a frame whose column holds text) the copy is of objects.
    """
    if len(where) == 0:
        return series.copy()
    dtype: Any = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        new = [v for v in pd.unique(pd.Series(values)) if v not in dtype.categories]
        out = series.cat.add_categories(new) if new else series.copy()
        codes = np.array(out.cat.codes)
        codes = codes.astype(np.int64)
        codes[where] = out.cat.categories.get_indexer(pd.Index(values))
        return pd.Series(
            pd.Categorical.from_codes(codes, dtype=out.dtype), index=series.index,
            name=series.name,
        )  # fmt: skip
    dates = values.dtype.kind in "mM" and not objects
    if dates and dtype.kind not in "mM" and not series.notna().any():
        # A column that nothing was observed in comes as floats or objects.
        dtype = values.dtype if zone is None else pd.DatetimeTZDtype("us", zone)
        series = pd.Series(pd.NaT, series.index, dtype, series.name)
    out = series.copy()
    if zone_of(dtype) is not None and values.dtype != object:
        # Of an hour that the clock shows twice, the first; none that it leaves out.
        stamps = pd.Series(values).dt.tz_localize(
            zone, ambiguous=np.ones(len(values), bool), nonexistent="shift_forward"
        )
        out.iloc[where] = stamps.dt.tz_convert(zone_of(dtype)).astype(dtype).array
        return out
    if pdt.is_integer_dtype(dtype):
        values = _whole(values.astype(np.float64), dtype, series.name)
    elif pdt.is_object_dtype(dtype):
        values = _plain_objects(values, objects, series.name)
    elif pdt.is_float_dtype(dtype) and values.dtype == object:
        if all(isinstance(v, Number) and not isinstance(v, bool) for v in values):
            values = values.astype(getattr(dtype, "numpy_dtype", dtype))
        else:
            out = out.astype(object)
    elif isinstance(dtype, np.dtype) and dtype.kind == "f":
        values = values.astype(dtype)
    elif pdt.is_bool_dtype(dtype):
        if not all(isinstance(v, bool | np.bool_) for v in values):
            raise TypeError("they are not true or false")
        values = values.astype(bool)
    out.iloc[where] = values
    return out


def _whole(values: np.ndarray, dtype: Any, name: Any) -> np.ndarray:
    """Rounded to whole numbers; refuses those that the integer `dtype` cannot hold."""
    limits = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
    values = np.round(values)
    outside = (values < limits.min) | (values > limits.max)
    if outside.any():
        raise ValueError(
            f"column {name!r} of type {dtype} cannot hold the imputed value "
            f"{values[outside][0]:g}; change its delta or convert it to a wider type"
        )
    return values.astype(limits.dtype)


def _plain_objects(values: np.ndarray, objects: str, name: Any) -> np.ndarray:
    """Python's own objects, numbers and dates of the kind that `objects_of` told."""
    out = np.empty(len(values), object)
    if objects == "integer":
        out[:] = [int(v) for v in np.round(values)]
    elif objects == "decimal":
        out[:] = [Decimal(repr(v)) for v in values.tolist()]
    elif objects in ("date", "datetime"):
        if not in_years(values):
            raise ValueError(
                f"column {name!r} cannot hold an imputed date outside the years 1 to "
                "9999; change its delta"
            )
        step = "D" if objects == "date" else "us"
        out[:] = values.astype(f"datetime64[{step}]").tolist()
    else:
        out[:] = values.tolist() if values.dtype.kind in "fiub" else list(values)
    return out
