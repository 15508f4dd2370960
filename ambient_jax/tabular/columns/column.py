"""One column of a table: its position, the type of its cells, and its vocabulary."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ambient_jax.tabular.columns.category import CategoryColumn
from ambient_jax.tabular.columns.estimates import Estimate
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.frames import json_cells
from ambient_jax.tabular.frames.filling import fill_cells
from ambient_jax.tabular.frames.kinds import (
    Kind,
    limits_of,
    numbers_of,
    object_type_of,
    precision_of,
    unit_of,
    zone_of,
)

_CODERS = {"number": NumberColumn, "category": CategoryColumn}

CELLS_PER_BIN = 10
"""A numeric column has at most one bin per this many observed cells, so that the share
of a bin, and its mean, can be estimated."""

MIN_BINS = 4
"""However few cells are observed, a numeric column may have this many bins."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column that has tokens.

    Attributes:
      name: its name in the frame.
      position: its position in the frame.
      kind: what its cells are.
      unit: step in which dates and durations are counted (`D`, `h`, ...); otherwise "".
      coder: its vocabulary.
      objects: what the numbers or dates of an object column are, see `object_type_of`.
      zone: time zone by whose clock its dates are counted; None if they have none.
      estimate: the point estimate that suits its numbers, see `choose_estimate`.
    """

    name: Any
    position: int
    kind: Kind
    unit: str
    coder: NumberColumn | CategoryColumn
    objects: str = ""
    zone: Any = None
    estimate: Estimate = "mean"

    @classmethod
    def fit(
        cls, observed: pd.Series, position: int, kind: Kind, *, max_bins: int,
        max_categories: int,
    ) -> "Column":  # fmt: skip
        """Fits the vocabulary on the observed cells of the column at `position`.

        A numeric column has about `max_bins` tokens, or one per `CELLS_PER_BIN` cells
        if that is less, but `MIN_BINS` in any case.

        Raises:
          ValueError, TypeError: a cell cannot be read; the message names the column.
        """
        name = observed.name
        unit = unit_of(observed, kind)
        zone = zone_of(observed.dtype) if kind == "date" else None
        objects = ""
        if kind == "category":
            try:
                coder = CategoryColumn.fit(observed.to_numpy(object), max_categories)
            except TypeError as error:
                raise TypeError(f"column {name!r} holds unhashable values") from error
        else:
            numbers = numbers_of(observed, kind, unit, name, zone)
            bins = max(MIN_BINS, min(max_bins, len(numbers) // CELLS_PER_BIN))
            dtype = observed.dtype
            coder = NumberColumn.fit(
                numbers, bins, precision_of(dtype), limits_of(dtype)
            )
            objects = object_type_of(observed)
        return cls(name=name, position=position, kind=kind, unit=unit, coder=coder,
                   objects=objects, zone=zone)  # fmt: skip

    @property
    def numeric(self) -> bool:
        """Whether the tokens are bins of numbers (or dates), which are ordered."""
        return isinstance(self.coder, NumberColumn)

    def numbers(self, series: pd.Series) -> np.ndarray:
        """Numbers (or dates) of the column as float64 `[n]`, see `numbers_of`."""
        return numbers_of(series, self.kind, self.unit, self.name, self.zone)

    def rounds_means(self, frame: pd.DataFrame) -> bool:
        """Whether the column of a frame cannot hold a number with any decimals."""
        dtype = frame.dtypes.iloc[self.position]
        return self.kind != "number" or not pd.api.types.is_float_dtype(dtype)

    def filled(
        self, series: pd.Series, where: np.ndarray, values: np.ndarray
    ) -> pd.Series:
        """A copy of `series` with decoded `values [m]` at the m positions `where`.

        Raises:
          ValueError: the type of `series` cannot hold them; names the column.
        """
        objects = self.objects
        if self.numeric and not objects:  # older saved models do not have it
            objects = object_type_of(series)
        try:
            return fill_cells(series, where, values, objects, self.zone)
        except (TypeError, ValueError, AttributeError) as error:
            if repr(self.name) in str(error):
                raise
            raise ValueError(
                f"column {self.name!r} is of type {series.dtype}, which cannot hold "
                f"what fit saw in it ({error})"
            ) from error

    def to_json(self) -> dict[str, Any]:
        """Fields that JSON can hold, for `from_json`.

        Raises:
          TypeError: a category cannot be written; names the column.
        """
        plain = ("position", "kind", "unit", "objects", "estimate")
        fields = {name: getattr(self, name) for name in plain}
        fields["zone"] = None if self.zone is None else str(self.zone)
        try:
            fields["name"] = json_cells.to_json(self.name)
            fields["coder"] = self.coder.to_json()
        except TypeError as error:
            raise TypeError(f"column {self.name!r}: {error}") from error
        return fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Column":
        """The inverse of `to_json`."""
        coder = _CODERS[fields["coder"]["kind"]].from_json(fields["coder"])
        name = json_cells.from_json(fields["name"])
        zone = fields.get("zone") and pd.DatetimeTZDtype("us", fields["zone"]).tz
        return cls(**fields | {"name": name, "coder": coder, "zone": zone})


def fill_frame(
    frame: pd.DataFrame, cells: Iterable[tuple[Column, np.ndarray, np.ndarray]]
) -> pd.DataFrame:
    """Returns a copy of a frame with values in some cells of its columns.

    Args:
      frame: the rows.
      cells: a column, positions `[m]` of rows and the values `[m]` there, each column
        once.
    """
    series = [frame.iloc[:, i] for i in range(frame.shape[1])]
    for column, rows, values in cells:
        at = column.position
        series[at] = column.filled(series[at], rows, values)
    out = pd.concat(series, axis=1)
    out.columns = frame.columns
    return out
