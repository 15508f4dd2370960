"""The dtypes of a frame's columns, to make new rows that look like its own."""

import base64
import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ambient_jax.tabular.frames import json_cells


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column of the frame that was fitted.

    Attributes:
      name: of the column.
      dtype: NumPy's or pandas'.
    """

    name: Any
    dtype: Any

    def missing(self, length: int) -> pd.Series:
        """Missing cells, of objects where the dtype cannot be missing."""
        try:
            return pd.Series([None] * length, dtype=self.dtype, name=self.name)
        except (TypeError, ValueError):
            return pd.Series([None] * length, dtype=object, name=self.name)

    def blank(self, length: int) -> pd.Series:
        """Cells of the dtype that are to be filled, missing if they can be."""
        out = self.missing(length)
        if out.dtype == self.dtype:
            return out
        return pd.Series([0] * length, dtype=self.dtype, name=self.name)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`.

        Raises:
          TypeError: the name or a category is of a type that cannot be written.
        """
        try:
            return {"name": json_cells.to_json(self.name)} | self._typed()
        except TypeError as error:
            raise TypeError(f"column {self.name!r}: {error}") from error

    def _typed(self) -> dict[str, Any]:
        if not isinstance(self.dtype, pd.CategoricalDtype):
            return {"dtype": _dtype_to_json(self.dtype)}
        values = self.dtype.categories
        return {
            "dtype": "category", "ordered": bool(self.dtype.ordered),
            "categories": [json_cells.to_json(value) for value in values.tolist()],
            "categories_dtype": _dtype_to_json(values.dtype),
        }  # fmt: skip

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Field":
        """What `to_json` wrote, or an older version did."""
        name = json_cells.from_json(fields["name"])
        if fields.get("categories") is None:
            return cls(name=name, dtype=_dtype_from_json(fields["dtype"]))
        values = [json_cells.from_json(value) for value in fields["categories"]]
        dtype = fields.get("categories_dtype")
        index = pd.Index(values, dtype=dtype and _dtype_from_json(dtype))
        return cls(name=name, dtype=pd.CategoricalDtype(index, fields["ordered"]))


def schema_of(frame: pd.DataFrame) -> tuple[Field, ...]:
    """The fields of a frame."""
    return tuple(
        Field(name=name, dtype=dtype)
        for name, dtype in zip(frame.columns, frame.dtypes, strict=True)
    )


def _dtype_to_json(dtype: Any) -> Any:
    """Its name; for text its storage and, as pandas cannot read all, Arrow's bytes."""
    if isinstance(dtype, pd.StringDtype):
        return {"string": [dtype.storage, dtype.na_value is pd.NA]}
    if isinstance(dtype, pd.ArrowDtype):
        kept = pa.schema([("cell", dtype.pyarrow_dtype)]).serialize()
        return {"arrow": base64.b64encode(kept).decode()}
    with contextlib.suppress(TypeError):
        if pd.api.types.pandas_dtype(str(dtype)) == dtype:
            return str(dtype)
    raise TypeError(f"columns of type {dtype} cannot be saved")


def _dtype_from_json(told: Any) -> Any:
    if isinstance(told, str):
        return pd.api.types.pandas_dtype(told)
    if "string" in told:
        storage, nullable = told["string"]
        return pd.StringDtype(storage, na_value=pd.NA if nullable else np.nan)
    kept = pa.py_buffer(base64.b64decode(told["arrow"]))
    return pd.ArrowDtype(pa.ipc.read_schema(kept).field(0).type)
