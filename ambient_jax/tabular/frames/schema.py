"""Names and dtypes of a frame's columns, from which new rows can be made."""

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
    """Name and dtype of one column of a frame.

    Attributes:
      name: name of the column; any hashable value.
      dtype: its NumPy dtype or pandas extension dtype.
    """

    name: Any
    dtype: Any

    def missing_cells(self, length: int) -> pd.Series:
        """Returns missing cells `[length]`.

        They are of dtype object if the column's dtype cannot represent missing cells.
        """
        try:
            return pd.Series([None] * length, dtype=self.dtype, name=self.name)
        except (TypeError, ValueError):
            return pd.Series([None] * length, dtype=object, name=self.name)

    def cells_to_fill(self, length: int) -> pd.Series:
        """Returns cells `[length]` of the column's dtype whose values will be replaced.

        They are missing, or 0 if the dtype cannot represent missing cells.
        """
        out = self.missing_cells(length)
        if out.dtype == self.dtype:
            return out
        return pd.Series([0] * length, dtype=self.dtype, name=self.name)

    def to_json(self) -> dict[str, Any]:
        """Returns a dictionary that `json` can write and `from_json` reads.

        Raises:
          TypeError: the dtype, the name or a category is of a type that cannot be
            written; the message names the column.
        """
        try:
            return {"name": json_cells.to_json(self.name)} | self._dtype_fields()
        except TypeError as error:
            raise TypeError(f"column {self.name!r}: {error}") from error

    def _dtype_fields(self) -> dict[str, Any]:
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
        """Restores a field from the result of `to_json`.

        Files of older versions lack `categories_dtype`; pandas then infers it.
        """
        name = json_cells.from_json(fields["name"])
        if fields.get("categories") is None:
            return cls(name=name, dtype=_dtype_from_json(fields["dtype"]))
        values = [json_cells.from_json(value) for value in fields["categories"]]
        dtype = fields.get("categories_dtype")
        index = pd.Index(values, dtype=dtype and _dtype_from_json(dtype))
        return cls(name=name, dtype=pd.CategoricalDtype(index, fields["ordered"]))


def schema_of(frame: pd.DataFrame) -> tuple[Field, ...]:
    """Returns one field for each column of a frame, in their order."""
    return tuple(
        Field(name=name, dtype=dtype)
        for name, dtype in zip(frame.columns, frame.dtypes, strict=True)
    )


def _dtype_to_json(dtype: Any) -> Any:
    """Converts a dtype to what `json` can write.

    That is the dtype's name where pandas can read it. The name of a text dtype does not
    state how missing text is represented, and pandas cannot read the names of all Arrow
    types: these become dictionaries.

    Raises:
      TypeError: pandas could not restore the dtype.
    """
    if isinstance(dtype, pd.StringDtype):
        return {"string": [dtype.storage, dtype.na_value is pd.NA]}
    if isinstance(dtype, pd.ArrowDtype):
        schema = pa.schema([("cell", dtype.pyarrow_dtype)]).serialize()
        return {"arrow": base64.b64encode(schema).decode()}
    with contextlib.suppress(TypeError):
        if pd.api.types.pandas_dtype(str(dtype)) == dtype:
            return str(dtype)
    raise TypeError(f"columns of type {dtype} cannot be saved")


def _dtype_from_json(written: Any) -> Any:
    if isinstance(written, str):
        return pd.api.types.pandas_dtype(written)
    if "string" in written:
        storage, nullable = written["string"]
        return pd.StringDtype(storage, na_value=pd.NA if nullable else np.nan)
    schema = pa.py_buffer(base64.b64decode(written["arrow"]))
    return pd.ArrowDtype(pa.ipc.read_schema(schema).field(0).type)
