"""CSV and Parquet files with holes: read, and written with the observed text kept."""

import contextlib
import csv
from dataclasses import dataclass, field
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ambient_jax.errors import UserError
from ambient_jax.files import write_atomically
from ambient_jax.tabular.files.date_text import (
    DATE_PATTERN,
    DateFormat,
    find_date_formats,
)
from ambient_jax.tabular.frames.interchange import NULLABLE_TYPES
from ambient_jax.tabular.frames.kinds import in_date_range

_NUMBER = r"[-+]?[$€£]?\s*(?:\d+|\d{1,3}(?:[,.' ]\d{3})+)(?:[.,]\d+)?\s*[%€$£]?"
"""Numbers as people write them and pandas does not read them: 1,234 or 10%."""


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """A file as a typed frame, and for CSV its text as it stood.

    Attributes:
      path: of the file.
      frame: typed; nullable dtypes for CSV, so that whole numbers stay whole.
      text: the same cells as text, for CSV; None for Parquet.
      dates: how the dates of a CSV's columns are written, by position.
      arrow: types of a Parquet file's columns; None for CSV.
      notes: what a user should know of how the file was read, a line each.
    """

    path: Path
    frame: pd.DataFrame
    text: pd.DataFrame | None = None
    dates: dict[int, DateFormat] = field(default_factory=dict)
    arrow: pa.Schema | None = None
    notes: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """`.csv` or `.parquet`."""
        return ".csv" if self.text is not None else ".parquet"

    def write(self, path: Path, completed: pd.DataFrame) -> None:
        """Writes `completed` atomically; a CSV keeps the text of observed cells."""
        if self.text is None:
            table = _typed(pa.Table.from_pandas(completed), self.arrow)
            write_atomically(path, lambda at: pq.write_table(table, at))
            return
        out = self.text.copy()
        for i in range(out.shape[1]):
            hole = np.flatnonzero(self.frame.iloc[:, i].isna().to_numpy())
            values = completed.iloc[:, i].iloc[hole]
            texts = self._spelling(i)
            written = self.dates[i].write if i in self.dates else _number
            if i in self.dates and not in_date_range(values.dropna().to_numpy()):
                raise UserError(
                    f"column {self.frame.columns[i]!r}: an imputed date lies before "
                    "the year 1 or beyond the year 9999; change its delta"
                )
            out.iloc[hole, i] = [
                "" if pd.isna(v) else texts.get(v) or written(v) for v in values
            ]
        write_atomically(path, lambda at: out.to_csv(at, index=False))

    def _spelling(self, column: int) -> dict:
        """How values that are not numbers were spelled where they were observed."""
        series = self.frame.iloc[:, column]
        if pd.api.types.is_float_dtype(series.dtype) or self.text is None:
            return {}
        seen = series.notna().to_numpy()
        texts = self.text.iloc[:, column][seen]
        return dict(zip(series[seen].tolist(), texts.tolist(), strict=True))


def _number(value: object) -> str:
    return repr(float(value)) if isinstance(value, float) else str(value)


def read_table(path: Path) -> TableFile:
    """Reads a CSV (UTF-8, comma) or Parquet file.

    Raises:
      UserError: it is absent, ragged, of another encoding or type, or has no rows.
        Lines that are too short count as ragged: their cells may be misplaced.
    """
    suffixes = (".csv", ".parquet")
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{path} is neither a .csv nor a .parquet file")
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    try:
        parquet = path.suffix.lower() == ".parquet"
        file = _read_parquet(path) if parquet else _read_csv(path)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error.reason}); convert it") from error
    except pd.errors.EmptyDataError as error:
        raise UserError(f"{path} is empty") from error
    except (pd.errors.ParserError, csv.Error, ValueError, OSError) as error:
        line = " ".join(str(error).split())[:160]
        raise UserError(f"{path} cannot be read as a table: {line}") from error
    rows, columns = file.frame.shape
    if not rows or not columns:
        raise UserError(f"{path} has {rows} rows and {columns} columns")
    return file


def _read_parquet(path: Path) -> TableFile:
    table = pq.read_table(path)
    # Whole numbers with holes stay whole.
    frame = table.to_pandas(types_mapper=NULLABLE_TYPES.get)
    return TableFile(path=path, frame=frame, arrow=table.schema)


def _typed(table: pa.Table, schema: pa.Schema | None) -> pa.Table:
    """`table` with the types of `schema`, where they can hold its cells."""
    for i, name in enumerate(table.column_names):
        wanted = schema.field(name) if schema and name in schema.names else None
        if wanted is not None and wanted.type != table.field(i).type:
            with contextlib.suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
                cells = _scaled(table.column(i), wanted.type).cast(wanted.type)
                table = table.set_column(i, wanted, cells)
    return table


def _scaled(cells: Any, wanted: Any) -> Any:
    """Decimals rounded to the digits of the type `wanted`; others as they are."""
    if not (pa.types.is_decimal(cells.type) and pa.types.is_decimal(wanted)):
        return cells
    step, wide = Decimal(1).scaleb(-wanted.scale), Context(prec=80)
    plain = [None if v is None else v.quantize(step, context=wide)
             for v in cells.to_pylist()]  # fmt: skip
    return pa.array(plain)


def _read_csv(path: Path) -> TableFile:
    """The file typed, and as text under the header that it has."""
    header = _header(path)
    # In a table of one column a blank line is a missing cell.
    same: dict = {"index_col": False, "skip_blank_lines": len(header) > 1}
    frame = pd.read_csv(path, dtype_backend="numpy_nullable", **same)
    text = pd.read_csv(path, dtype=str, keep_default_na=False, **same)
    text.columns = header  # where pandas told equal names apart
    dates, notes = {}, []
    for i, name in enumerate(frame.columns):
        if not isinstance(frame.dtypes.iloc[i], pd.StringDtype):
            continue
        # pandas leaves an empty cell of numbers that are too large as it is.
        frame[name] = cells = frame[name].mask(text.iloc[:, i].eq("").to_numpy())
        found = find_date_formats(cells)
        if len(found) == 1:
            dates[i] = found[0]
            frame[name] = found[0].read(cells)
        else:
            notes += _notes(name, cells.dropna(), bool(found))
    return TableFile(path=path, frame=frame, text=text, dates=dates, notes=tuple(notes))


def _notes(name: object, cells: pd.Series, ambiguous: bool) -> list[str]:
    """What a user may not expect of a column that is read as text."""
    if cells.empty:
        return []
    first = f"column {name!r} is read as text"
    if ambiguous:
        return [f"{first}: day and month of {cells.iloc[0]!r} cannot be told apart; "
                "write YYYY-MM-DD"]  # fmt: skip
    if cells.str.fullmatch(DATE_PATTERN).all():
        return [f"{first}: its dates, such as {cells.iloc[0]!r}, are not all of one "
                "known format; write YYYY-MM-DD"]  # fmt: skip
    if cells.str.fullmatch(_NUMBER).all():
        return [f"{first}, although {cells.iloc[0]!r} looks like a number; write plain "
                "digits and a point"]  # fmt: skip
    return []


def _header(path: Path) -> list[str]:
    """The first line's cells; a `UserError` if another line has more or fewer."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        header = next(lines, [])
        for mark in ";\t|":
            if len(header) == 1 and header[0].count(mark):
                raise UserError(
                    f"{path} has one column, {header[0]!r}: its cells seem to be "
                    f"separated by {mark!r}; separate them by commas"
                )
        for cells in lines:
            if cells and len(cells) != len(header):
                raise UserError(
                    f"{path} cannot be read as a table: line {lines.line_num} has "
                    f"{len(cells)} cells, the first line {len(header)}"
                )
    return header
