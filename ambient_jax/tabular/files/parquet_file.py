"""Reads a Parquet table, and writes it with the types of its columns."""

import contextlib
import warnings
from dataclasses import dataclass
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ambient_jax.files import write_atomically
from ambient_jax.tabular.frames.interchange import NULLABLE_TYPES
from ambient_jax.tabular.interface.markers import mark_missing, markers_by_position

DECIMAL_PRECISION = 80
"""Significant digits while decimals are rounded; Arrow's widest decimals have 76."""


@dataclass(frozen=True, kw_only=True)
class ParquetFile:
    """The content of a Parquet file.

    Attributes:
      path: path of the file.
      frame: its cells, missing where a text means missing; in nullable dtypes, so that
        integers with missing cells stay integers.
      observed: its cells with these texts.
      arrow_schema: types of its columns.
      notes: which texts mean missing, one line each.
    """

    path: Path
    frame: pd.DataFrame
    observed: pd.DataFrame
    arrow_schema: pa.Schema
    notes: tuple[str, ...]

    suffix: ClassVar[str] = ".parquet"

    @classmethod
    def read(cls, path: Path, missing_markers: tuple[str, ...] | None) -> "ParquetFile":
        """Reads a file; see `markers_by_position` for the markers."""
        table = pq.read_table(path)
        observed = table.to_pandas(types_mapper=NULLABLE_TYPES.get)
        with warnings.catch_warnings(record=True, action="always") as caught:
            markers = markers_by_position(observed, missing_markers)
        return cls(
            path=path, frame=mark_missing(observed, markers), observed=observed,
            arrow_schema=table.schema, notes=tuple(str(w.message) for w in caught),
        )  # fmt: skip

    def write(self, path: Path, completed: pd.DataFrame) -> None:
        """Writes a completed copy of `frame` with the file's types, atomically.

        Texts that mean missing stay where nothing was imputed.
        """
        unknown = completed.isna() & self.observed.notna()
        if unknown.any(axis=None):
            completed = completed.mask(unknown, self.observed)
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
