"""What a user hands over, as a frame; refusals worded as scikit-learn words them."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.utils.validation import check_array, validate_data

from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.frames.interchange import other_frame, to_pandas


def as_frame(estimator: Any, X: Any, *, reset: bool) -> tuple[pd.DataFrame, Any]:
    """`X` as a frame of pandas, and what it came as, if not as one; see `as_given`.

    Args:
      estimator: gets `n_features_in_` and `feature_names_in_` where `reset`; else is
        asked whether `X` has the same.

    Raises:
      TypeError: a sparse matrix, or a frame that is not evaluated yet.
      ValueError: no rows, no columns, another shape, complex numbers, or columns that
        are not those of fit; names them.
    """
    if sp.issparse(X):
        raise TypeError(
            "Sparse data was passed, but dense data is required. Use X.toarray(), if "
            "its zeros are values and not holes"
        )
    given = other_frame(X)
    if given is not None:
        X = to_pandas(given)
    if isinstance(X, pd.Series):
        raise ValueError("Expected 2D array, got a Series: use series.to_frame()")
    if isinstance(X, pd.DataFrame):
        if 0 in X.shape:
            raise ValueError(
                f"Found array with {X.shape[0]} sample(s) and {X.shape[1]} feature(s) "
                f"(shape={X.shape}) while a minimum of 1 is required."
            )
        _remember(estimator, X, reset)
        return X, given
    loose: dict[str, Any] = {"dtype": None, "ensure_all_finite": False}
    array = check_array(X, estimator=estimator, **loose)
    _remember(estimator, array, reset)
    frame = pd.DataFrame(array)
    if array.dtype.kind in "US":
        frame = frame.astype(object)
    return frame, array


def _remember(estimator: Any, X: Any, reset: bool) -> None:
    """scikit-learn's own check of names and their number; it refuses equal names."""
    if isinstance(X, pd.DataFrame) and not X.columns.is_unique:
        names = [field.name for field in getattr(estimator, "schema_", ())]
        if not reset and names != list(X.columns):
            raise ValueError(
                f"the columns are {list(X.columns)}; fit had {names}, and where names "
                "occur twice they must be the same, in the same order"
            )
        X = np.empty(X.shape, np.int8)
    given: dict[str, Any] = {"X": X, "reset": reset, "skip_check_array": True}
    validate_data(estimator, **given)


def holes_of(frame: pd.DataFrame) -> np.ndarray:
    """`[N, columns]` bool: missing cells (NaN, None, NaT, pd.NA)."""
    return frame.isna().to_numpy()


def position_of(column: Any, frame: pd.DataFrame, what: str) -> int:
    """The place of a column that is given by name or by number.

    Raises:
      ValueError: there is no such column, or several have that name.
    """
    names = list(frame.columns)
    if column in names:
        if names.count(column) > 1:
            raise ValueError(
                f"{what} names column {column!r}, which occurs {names.count(column)} "
                "times; give its position"
            )
        return names.index(column)
    if isinstance(column, int | np.integer) and 0 <= column < len(names):
        return int(column)
    raise ValueError(f"{what} names column {column!r}, which the table does not have")


def warn_of_empty(frame: pd.DataFrame, codec: TableCodec, keep: bool) -> None:
    """Names the columns without one observed value, kept or dropped."""
    if codec.empty:
        names = ", ".join(repr(frame.columns[p]) for p in codec.empty)
        kept = "kept as they are" if keep else "dropped"
        warnings.warn(
            f"columns without any observed value cannot be imputed and are {kept}: "
            f"{names}", UserWarning, stacklevel=3,
        )  # fmt: skip
