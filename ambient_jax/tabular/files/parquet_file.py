"""Reads a Parquet table, and writes it with the types of its columns."""

import contextlib
from dataclasses import dataclass
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ambient_jax.files import write_atomically
from ambient_jax.tabular.frames.interchange import NULLABLE_TYPES

DECIMAL_PRECISION = 80
"""Significant digits while decimals are rounded; Arrow's widest decimals have 76."""


@dataclass(frozen=True, kw_only=True)
class ParquetFile:
    """The content of a Parquet file.

    Attributes:
      path: path of the file.
      frame: its cells; in nullable dtypes, so that integers with missing cells stay
        integers.
      arrow_schema: types of its columns.
    """

    path: Path
    frame: pd.DataFrame
    arrow_schema: pa.Schema

    suffix: ClassVar[str] = ".parquet"
    notes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def read(cls, path: Path) -> "ParquetFile":
        """Reads a file."""
        table = pq.read_table(path)
        frame = table.to_pandas(types_mapper=NULLABLE_TYPES.get)
        return cls(path=path, frame=frame, arrow_schema=table.schema)

    def write(self, path: Path, completed: pd.DataFrame) -> None:
        """Writes a completed copy of `frame` with the file's types, atomically."""
        table = _cast(pa.Table.from_pandas(completed), self.arrow_schema)
        write_atomically(path, lambda at: pq.write_table(table, at))


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Casts columns to their types in `schema`, except where cells do not fit."""
    for i, name in enumerate(table.column_names):
        wanted = schema.field(name) if name in schema.names else None
        if wanted is not None and wanted.type != table.field(i).type:
            with contextlib.suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
                cells = _round_decimals(table.column(i), wanted.type).cast(wanted.type)
                table = table.set_column(i, wanted, cells)
    return table


def _round_decimals(cells: Any, wanted: Any) -> Any:
    """Rounds decimals to the scale of the type `wanted`; returns others unchanged."""
    if not (pa.types.is_decimal(cells.type) and pa.types.is_decimal(wanted)):
        return cells
    step, context = Decimal(1).scaleb(-wanted.scale), Context(prec=DECIMAL_PRECISION)
    plain = [None if v is None else v.quantize(step, context=context)
             for v in cells.to_pylist()]  # fmt: skip
    return pa.array(plain)
