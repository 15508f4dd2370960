"""The dtypes of a frame's columns, to make new rows that look like its own."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column of the frame that was fitted.

    Attributes:
      name: of the column.
      dtype: its name, `category` for categoricals.
      categories, ordered: of a categorical; None otherwise.
    """

    name: Any
    dtype: str
    categories: list[Any] | None = None
    ordered: bool = False

    def series(self, values: np.ndarray | None, length: int) -> pd.Series:
        """`values` in the column's dtype; all missing where there are none."""
        if values is None:
            try:
                return pd.Series([None] * length, dtype=self._pandas(), name=self.name)
            except (TypeError, ValueError):
                return pd.Series([None] * length, dtype=object, name=self.name)
        series = pd.Series(values, name=self.name)
        if self.dtype.startswith("datetime64") and "," in self.dtype:
            zone = self._pandas().tz  # type: ignore[union-attr]
            series = series.dt.tz_localize("UTC").dt.tz_convert(zone)
        if self.dtype.lower().startswith(("int", "uint")):
            series = series.round()
        return series.astype(self._pandas())

    def _pandas(self) -> Any:
        if self.categories is not None:
            return pd.CategoricalDtype(self.categories, self.ordered)
        return pd.api.types.pandas_dtype(self.dtype)


def schema_of(frame: pd.DataFrame) -> tuple[Field, ...]:
    """The fields of a frame."""
    fields = []
    for position, name in enumerate(frame.columns):
        dtype = frame.dtypes.iloc[position]
        if isinstance(dtype, pd.CategoricalDtype):
            fields.append(Field(
                name=name, dtype="category", categories=dtype.categories.tolist(),
                ordered=bool(dtype.ordered),
            ))  # fmt: skip
        else:
            fields.append(Field(name=name, dtype=str(dtype)))
    return tuple(fields)
