"""The columns that come out: kept ones, indicators of holes, their names."""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from ambient_jax.tabular.completion import Completion
from ambient_jax.tabular.frames.interchange import from_pandas

PREFIX = "missingindicator_"
"""As in scikit-learn's imputers."""


def kept_columns(count: int, empty: tuple[int, ...], keep_empty: bool) -> np.ndarray:
    """Positions of the columns that come out, of `count` that came in."""
    return np.setdiff1d(np.arange(count), () if keep_empty else empty)


def with_indicators(
    done: Completion, out: pd.DataFrame, positions: np.ndarray
) -> pd.DataFrame:
    """`out` and, for each of the `positions`, a column that is True at its holes."""
    flags = pd.DataFrame(done.holes[:, positions], index=out.index)
    flags.columns = pd.Index([f"{PREFIX}{done.frame.columns[i]}" for i in positions])
    return pd.concat([out, flags], axis=1)


def names_out(
    names: np.ndarray, own: list, kept: np.ndarray, indicators: np.ndarray
) -> np.ndarray:
    """Names of what comes out.

    Args:
      names: as scikit-learn knows the columns.
      own: as the frame of fit had them; they win where texts occur twice, which
        scikit-learn does not keep.
      kept, indicators: positions.
    """
    if len(set(own)) < len(own) and all(isinstance(name, str) for name in own):
        names = np.asarray(own, object)
    added = [f"{PREFIX}{names[i]}" for i in indicators]
    return np.r_[names[kept], np.asarray(added, object)]


def as_given(out: pd.DataFrame, given: Any) -> Any:
    """`out` as the input came: None, a frame of pandas; a frame; or an array."""
    if given is None:
        return out
    if isinstance(given, nw.DataFrame):
        return from_pandas(out, given)
    dtype = given.dtype
    if dtype.kind in "US":
        dtype = np.dtype(object)
    if dtype.kind in "iub" and out.isna().to_numpy().any():
        dtype = np.dtype(np.float64)
    return out.to_numpy(dtype=dtype)
