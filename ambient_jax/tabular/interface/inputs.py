"""Converts the input of the estimator into a pandas DataFrame and validates it.

Error messages have the wording of scikit-learn, whose estimator checks look for it.
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.utils.validation import check_array, validate_data

from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.frames.interchange import non_pandas_frame, to_pandas
from ambient_jax.tabular.interface.arrays import (
    frame_of_array,
    frame_of_structured,
    is_structured,
)
from ambient_jax.tabular.interface.markers import mark_missing, markers_by_position


def as_frame(estimator: Any, X: Any, *, reset: bool) -> tuple[pd.DataFrame, Any]:
    """Converts the input of the estimator into a pandas DataFrame.

    Texts that mean missing become missing cells.

    Args:
      estimator: the estimator that received the input.
      X: `[N, columns]`; a frame of pandas or another library, or an array. Masked cells
        of a masked array are missing; the fields of a structured array are columns.
      reset: whether to set `n_features_in_`, `feature_names_in_` and
        `missing_markers_` of the estimator, as in `fit`, or to check that `X` agrees
        with the first two.

    Returns:
      The frame, and the original input for `outputs.to_input_type`: None if `X` is a
      pandas frame, else a frame in narwhals' wrapper or an array.

    Raises:
      TypeError: `X` is a sparse matrix or a lazy frame.
      ValueError: `X` has no rows or columns, is not two-dimensional, holds complex
        numbers, or its columns differ from those of fit; the message names them.
    """
    frame, original = _converted(estimator, X, reset)
    if reset:
        estimator.missing_markers_ = markers_by_position(
            frame, estimator.missing_markers
        )
    return mark_missing(frame, estimator.missing_markers_), original


def _converted(estimator: Any, X: Any, reset: bool) -> tuple[pd.DataFrame, Any]:
    if sp.issparse(X):
        raise TypeError(
            "Sparse data was passed, but dense data is required. Use X.toarray(), if "
            "its zeros are values and not holes"
        )
    original = non_pandas_frame(X)
    if original is not None:
        X = to_pandas(original)
    if isinstance(X, pd.Series):
        raise ValueError("Expected 2D array, got a Series: use series.to_frame()")
    if isinstance(X, pd.DataFrame):
        if 0 in X.shape:
            raise ValueError(
                f"Found array with {X.shape[0]} sample(s) and {X.shape[1]} feature(s) "
                f"(shape={X.shape}) while a minimum of 1 is required."
            )
        _validate_features(estimator, X, reset)
        return X, original
    if is_structured(X):
        return as_frame(estimator, frame_of_structured(X), reset=reset)[0], X
    options: dict[str, Any] = {"dtype": None, "ensure_all_finite": False}
    mask = np.ma.getmaskarray(X) if isinstance(X, np.ma.MaskedArray) else None
    array = check_array(np.ma.getdata(X) if mask is not None else X,
                        estimator=estimator, **options)  # fmt: skip
    _validate_features(estimator, array, reset)
    return frame_of_array(array, mask), array


def _validate_features(estimator: Any, X: Any, reset: bool) -> None:
    """Lets scikit-learn store or check the number and names of the features.

    scikit-learn refuses frames in which several columns have the same name, so these
    names are checked here and only the number of columns is passed on.
    """
    if isinstance(X, pd.DataFrame) and not X.columns.is_unique:
        names = [field.name for field in getattr(estimator, "schema_", ())]
        if not reset and names != list(X.columns):
            raise ValueError(
                f"the columns are {list(X.columns)}; fit had {names}, and where names "
                "occur twice they must be the same, in the same order"
            )
        X = np.empty(X.shape, np.int8)
    arguments: dict[str, Any] = {"X": X, "reset": reset, "skip_check_array": True}
    validate_data(estimator, **arguments)


def position_of(column: Any, frame: pd.DataFrame, parameter: str) -> int:
    """Returns the position of a column that is given by its name or its position.

    A name takes precedence over a position.

    Args:
      column: the name or position.
      frame: the frame that has the column.
      parameter: the estimator's parameter that gives the column, for error messages.

    Raises:
      ValueError: the frame has no such column, or several of that name.
    """
    names = list(frame.columns)
    if column in names:
        if names.count(column) > 1:
            raise ValueError(
                f"{parameter} names column {column!r}, which occurs "
                f"{names.count(column)} times; give its position"
            )
        return names.index(column)
    if isinstance(column, int | np.integer) and 0 <= column < len(names):
        return int(column)
    raise ValueError(
        f"{parameter} names column {column!r}, which the table does not have"
    )


def warn_about_empty_columns(
    frame: pd.DataFrame, codec: TableCodec, keep: bool
) -> None:
    """Warns of columns without any observed value, which cannot be imputed.

    Args:
      frame: the frame of fit.
      codec: the codec that was fitted on it.
      keep: whether the output of the estimator contains these columns.
    """
    if codec.empty:
        names = ", ".join(repr(frame.columns[p]) for p in codec.empty)
        outcome = "kept as they are" if keep else "dropped"
        warnings.warn(
            f"columns without any observed value cannot be imputed and are {outcome}: "
            f"{names}", UserWarning, stacklevel=3,
        )  # fmt: skip
