"""Checks the parameters of the imputer and resolves `delta` to column positions."""

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.interface.inputs import position_of
from ambient_jax.tabular.predictive import STATISTICS


def check_parameters(imputer: Any) -> None:
    """Checks every parameter of an `AmbientImputer` that does not depend on the data.

    Raises:
      ValueError: a parameter is out of range; the message gives its name and range.
    """
    if imputer.statistic not in STATISTICS:
        raise ValueError(
            f"statistic must be one of {', '.join(STATISTICS)}; got "
            f"{imputer.statistic!r}"
        )
    _check_markers(imputer)
    _check_integer(imputer, "max_bins", 2)
    _check_integer(imputer, "max_categories", 1)
    for name in ("max_epochs", "max_time"):
        value = getattr(imputer, name)
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be above 0 or None, got {value!r}")
    if not 0 <= imputer.validation_fraction < 1:
        raise ValueError(
            "validation_fraction must lie in [0, 1), got "
            f"{imputer.validation_fraction!r}"
        )


def check_diffputer_parameters(imputer: Any) -> None:
    """Checks every parameter of a `DiffPuterImputer` that does not depend on the data.

    Raises:
      ValueError: a parameter is out of range; the message gives its name and range.
    """
    _check_markers(imputer)
    _check_integer(imputer, "max_categories", 1)


def _check_markers(imputer: Any) -> None:
    if isinstance(imputer.missing_markers, str):
        raise ValueError(
            f"missing_markers must be a list of texts or None, got the text "
            f"{imputer.missing_markers!r}"
        )


def _check_integer(imputer: Any, name: str, minimum: int) -> None:
    value = getattr(imputer, name)
    if not isinstance(value, numbers.Integral) or value < minimum:
        raise ValueError(f"{name} must be an integer >= {minimum}, got {value!r}")


def checked_count(name: str, value: Any) -> int:
    """Returns the argument of a method as an int.

    Raises:
      ValueError: it is no positive integer; names the argument.
    """
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def fit_codec(imputer: Any, frame: pd.DataFrame) -> TableCodec:
    """Fits the codec that the parameters of an imputer describe.

    Raises:
      ValueError, TypeError: a cell or a named column cannot be used; says which.
    """
    positions = {
        name: [position_of(column, frame, name) for column in getattr(imputer, name)]
        for name in ("categorical_features", "numeric_features")
    }
    both = set.intersection(*map(set, positions.values()))
    if both:
        raise ValueError(
            "categorical_features and numeric_features both name column "
            f"{frame.columns[min(both)]!r}"
        )
    codec = TableCodec.fit(
        frame, max_bins=imputer.max_bins, max_categories=imputer.max_categories,
        categorical=positions["categorical_features"],
        numeric=positions["numeric_features"],
    )  # fmt: skip
    numbers = {column.position for column in codec.columns if column.numeric}
    for position in positions["numeric_features"]:
        if position not in numbers.union(codec.empty):
            raise ValueError(
                f"numeric_features names column {frame.columns[position]!r}, which "
                "holds no numbers"
            )
    return codec


def shifts_by_position(
    delta: Mapping[Any, float] | None, frame: pd.DataFrame, codec: TableCodec
) -> dict[int, float]:
    """Resolves the columns that `delta` names to their positions in the frame.

    Args:
      delta: `{column name or position: shift}`, with shifts in units of the column.
        They are added to imputed values, to analyse the sensitivity of results to
        data that are missing not at random (MNAR).
      frame: the frame whose columns are named.
      codec: the fitted codec of that frame.

    Returns:
      `{column position: shift}`.

    Raises:
      ValueError: the frame has no such column, or it holds categories, or a shift is
        not finite.
    """
    numeric = {column.position for column in codec.columns if column.numeric}
    shifts = {}
    for name, shift in (delta or {}).items():
        position = position_of(name, frame, "delta")
        if position not in numeric.union(codec.empty):
            raise ValueError(
                f"delta names column {name!r}, which holds categories: only "
                "numbers and dates can be shifted"
            )
        if not np.isfinite(float(shift)):
            raise ValueError(f"delta of column {name!r} must be finite, got {shift!r}")
        shifts[position] = float(shift)
    return shifts
