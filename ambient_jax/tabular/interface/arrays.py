"""NumPy arrays as frames and back: plain, masked and structured ones."""

from typing import Any

import numpy as np
import pandas as pd


def is_structured(X: Any) -> bool:
    """Whether `X` is an array with named fields, such as a record array."""
    return isinstance(X, np.ndarray) and X.dtype.names is not None


def frame_of_array(array: np.ndarray, mask: np.ndarray | None) -> pd.DataFrame:
    """Converts an array `[N, columns]` into a frame, in which masked cells are missing.

    Whole numbers and booleans with missing cells are nullable, so that they stay exact
    and stay whole numbers; text becomes objects.

    Args:
      array: the values; those below the mask are not looked at.
      mask: `[N, columns]` bool, true where a cell is missing; None: nowhere.
    """
    if mask is not None and array.dtype.kind == "f":
        return pd.DataFrame(np.where(mask, array.dtype.type(np.nan), array))
    if mask is None and array.dtype.kind not in "US":
        return pd.DataFrame(array)
    mask = np.zeros(array.shape, bool) if mask is None else mask
    columns = range(array.shape[1])
    return pd.DataFrame({i: _series(array[:, i], mask[:, i]) for i in columns})


def frame_of_structured(array: np.ndarray) -> pd.DataFrame:
    """Converts a structured array `[N]` into a frame with a column for each field.

    Masked cells are missing, see `frame_of_array`.

    Raises:
      ValueError: the array has not one dimension, or a field holds an array or fields
        of its own; the message names the field.
    """
    if array.ndim != 1:
        raise ValueError(
            f"Expected a structured array of one dimension, got {array.ndim}: use "
            "array.ravel()"
        )
    values: Any = np.ma.getdata(array)
    mask: Any = np.ma.getmaskarray(array)  # with the same fields
    columns = {}
    for name in array.dtype.names or ():
        if values[name].ndim != 1 or values[name].dtype.names is not None:
            raise ValueError(
                f"field {name!r} holds {array.dtype[name]} in each row: give it a "
                "field for each of its values"
            )
        columns[name] = _series(values[name], mask[name])
    return pd.DataFrame(columns)


def _series(cells: np.ndarray, hidden: np.ndarray) -> pd.Series:
    """Converts one column `[N]`, missing where `hidden`; see `frame_of_array`."""
    kind = cells.dtype.kind
    if kind in "USO":
        out = pd.Series(cells.astype(object), dtype=object)
        out[hidden] = None
        return out
    out = pd.Series(cells)
    if not hidden.any():
        return out
    if kind in "iu":
        out = out.astype(out.dtype.name.replace("i", "I").replace("u", "U"))
    elif kind == "b":
        out = out.astype("boolean")
    return out.mask(hidden)


def array_of_frame(out: pd.DataFrame, dtype: np.dtype) -> np.ndarray:
    """Converts a frame into an array `[N, columns]`, of the `dtype` of the input.

    Text becomes objects; whole numbers and booleans become float64 if a cell is still
    missing.
    """
    if dtype.kind in "US":
        dtype = np.dtype(object)
    if dtype.kind in "iub" and out.isna().to_numpy().any():
        dtype = np.dtype(np.float64)
    missing: Any = {"na_value": np.nan} if dtype.kind == "f" else {}
    return out.to_numpy(dtype=dtype, **missing)


def structured_of_frame(out: pd.DataFrame, dtype: np.dtype) -> np.ndarray:
    """Converts a frame into a structured array `[N]`.

    Fields have the types that they have in `dtype`, except where a type cannot hold the
    cells: text grows, and `array_of_frame` says what becomes of missing cells.

    Args:
      out: a frame with the fields of `dtype`, or some of them, and indicators.
      dtype: that of the input.
    """
    own = dtype.names or ()
    cells = {}
    for name in map(str, out.columns):
        column, kind = out[name], dtype[name] if name in own else np.dtype(bool)
        found = array_of_frame(column.to_frame(), kind)[:, 0]
        if kind.kind in "US" and column.notna().to_numpy().all():
            text = found.astype(kind.kind)
            found = text.astype(np.promote_types(kind, text.dtype))
        cells[name] = found
    made = np.empty(len(out), [(name, found.dtype) for name, found in cells.items()])
    for name, found in cells.items():
        made[name] = found
    return made
