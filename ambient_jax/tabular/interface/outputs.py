"""Selects and names the columns of the estimator's output and restores its type."""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from ambient_jax.tabular.frames.interchange import from_pandas
from ambient_jax.tabular.interface.arrays import (
    array_of_frame,
    is_structured,
    structured_of_frame,
)

PREFIX = "missingindicator_"
"""Prefix of the names of indicator columns, the same as in scikit-learn's imputers."""


def output_positions(
    count: int, empty: tuple[int, ...], keep_empty: bool
) -> np.ndarray:
    """Returns the positions of the input columns that the output contains.

    Args:
      count: number of input columns.
      empty: positions of the columns without any observed value in fit.
      keep_empty: whether the output contains the empty columns.
    """
    return np.setdiff1d(np.arange(count), () if keep_empty else empty)


def add_indicators(
    out: pd.DataFrame, frame: pd.DataFrame, holes: np.ndarray, positions: np.ndarray
) -> pd.DataFrame:
    """Appends to `out` a boolean indicator of missing cells for each given column.

    Column names with several levels keep them; the prefix goes to the first level.

    Args:
      out: the completed rows.
      frame: the same rows before imputation, which name the columns.
      holes: `[N, columns]` bool, true where a cell of `frame` is missing.
      positions: positions in `frame` of the columns that get an indicator.
    """
    if len(positions) == 0:
        return out
    flags = pd.DataFrame(holes[:, positions], index=out.index)
    flags.columns = _indicator_names(frame.columns[positions])
    return pd.concat([out, flags], axis=1)


def _indicator_names(columns: pd.Index) -> pd.Index:
    """Returns the names of the indicators of columns, with as many levels."""
    if not isinstance(columns, pd.MultiIndex):
        return pd.Index([f"{PREFIX}{name}" for name in columns], name=columns.name)
    names = [(f"{PREFIX}{first}", *others) for first, *others in columns]
    return pd.MultiIndex.from_tuples(names, names=columns.names)


def output_names(
    names: np.ndarray, frame_names: list, positions: np.ndarray, indicators: np.ndarray
) -> np.ndarray:
    """Returns the names of the output columns as an object array.

    Args:
      names: names of the input columns as scikit-learn stores them.
      frame_names: names in the frame of fit. They replace `names` if they are text
        and some are equal, because scikit-learn does not store such names.
      positions: positions of the input columns that the output contains.
      indicators: positions of the input columns that have an indicator column.
    """
    equal = len(set(frame_names)) < len(frame_names)
    if equal and all(isinstance(name, str) for name in frame_names):
        names = np.asarray(frame_names, object)
    added = [f"{PREFIX}{names[i]}" for i in indicators]
    return np.r_[names[positions], np.asarray(added, object)]


def to_input_type(out: pd.DataFrame, original: Any) -> Any:
    """Converts the output to the type of the estimator's input.

    Args:
      out: the output as a pandas frame.
      original: the second value that `as_frame` returned: None for a pandas frame, a
        frame in narwhals' wrapper, or an array.

    Returns:
      A frame of the same library, or an array of the same type, see `array_of_frame`
      and `structured_of_frame`.
    """
    if original is None:
        return out
    if isinstance(original, nw.DataFrame):
        return from_pandas(out, original)
    if is_structured(original):
        return structured_of_frame(out, original.dtype)
    return array_of_frame(out, original.dtype)
