"""Converts frames of other libraries (polars, PyArrow) to pandas and back.

narwhals recognizes the frames; Arrow tables carry their cells.
"""

from typing import Any

import narwhals as nw
import pandas as pd
import pyarrow as pa

NULLABLE_TYPES = {
    getattr(pa, name.lower())(): pd.api.types.pandas_dtype(name)
    for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32",
                 "UInt64", "string")
} | {pa.large_string(): pd.StringDtype(), pa.bool_(): pd.BooleanDtype()}  # fmt: skip
"""Maps Arrow types to the nullable dtypes of pandas.

Without them pandas would convert integers with missing cells to floats, which are not
exact beyond 2^53, and booleans with missing cells to objects."""


def non_pandas_frame(X: Any) -> nw.DataFrame | None:
    """Returns `X` in narwhals' wrapper if it is a frame, but not one of pandas.

    Raises:
      TypeError: `X` is a lazy frame.
    """
    if isinstance(X, pd.DataFrame):
        return None
    found = nw.from_native(X, pass_through=True)
    if isinstance(found, nw.LazyFrame):
        raise TypeError("A lazy frame was passed, but its cells are needed: collect it")
    return found if isinstance(found, nw.DataFrame) else None


def to_pandas(frame: nw.DataFrame) -> pd.DataFrame:
    """Converts a frame to pandas; null and NaN are missing, decimals become floats."""
    decimal = [nw.col(c).cast(nw.Float64) for c, t in frame.schema.items()
               if t == nw.Decimal]  # fmt: skip
    table = frame.with_columns(*decimal).to_arrow()
    return table.to_pandas(types_mapper=NULLABLE_TYPES.get, date_as_object=False)


def from_pandas(out: pd.DataFrame, like: nw.DataFrame) -> Any:
    """Converts a pandas frame to the library of `like`.

    Columns whose names occur in `like` get the types that they have there.
    """
    table = pa.Table.from_pandas(out, preserve_index=False)
    frame = nw.from_arrow(table, backend=like.implementation)
    schema = like.schema
    casts = [nw.col(c).cast(schema[c]) for c in frame.columns
             if c in schema and schema[c] != frame.schema[c]]  # fmt: skip
    out, original = frame.with_columns(*casts).to_native(), like.to_native()
    if not isinstance(original, pa.Table):
        return out
    for i, name in enumerate(out.column_names):
        wanted = original.schema.field(name) if name in original.column_names else None
        if wanted is not None and pa.types.is_time(wanted.type):
            # narwhals does not know the unit of a time.
            out = out.set_column(i, wanted, out.column(i).cast(wanted.type))
    return out
