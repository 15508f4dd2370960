"""Reads CSV and Parquet tables, and writes them with their observed cells unchanged."""

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

NUMBER_PATTERN = r"[-+]?[$€£]?\s*(?:\d+|\d{1,3}(?:[,.' ]\d{3})+)(?:[.,]\d+)?\s*[%€$£]?"
"""Regular expression of numbers that pandas reads as text, such as 1,234 or 10%."""

MAX_ERROR_LENGTH = 160
"""Number of characters that are shown of a parser's message."""

DECIMAL_PRECISION = 80
"""Significant digits while decimals are rounded; Arrow's widest decimals have 76."""


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """The content of a CSV or Parquet file.

    Attributes:
      path: path of the file.
      frame: its cells; in nullable dtypes, so that integers with missing cells stay
        integers.
      text: the same cells as they are written in a CSV; None for Parquet.
      date_formats: format of each CSV column of dates, by position.
      arrow_schema: types of a Parquet file's columns; None for CSV.
      notes: warnings about how columns were read, one line each.
    """

    path: Path
    frame: pd.DataFrame
    text: pd.DataFrame | None = None
    date_formats: dict[int, DateFormat] = field(default_factory=dict)
    arrow_schema: pa.Schema | None = None
    notes: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """`.csv` or `.parquet`."""
        return ".csv" if self.text is not None else ".parquet"

    def write(self, path: Path, completed: pd.DataFrame) -> None:
        """Writes a completed copy of `frame` in the format of this file, atomically.

        Observed cells of a CSV have the text that they had in the file.

        Raises:
          UserError: an imputed date of a CSV is out of range; names the column.
        """
        if self.text is None:
            table = _cast(pa.Table.from_pandas(completed), self.arrow_schema)
            write_atomically(path, lambda at: pq.write_table(table, at))
            return
        out = self.text.copy()
        for i in range(out.shape[1]):
            missing = np.flatnonzero(self.frame.iloc[:, i].isna().to_numpy())
            values = completed.iloc[:, i].iloc[missing]
            texts = self._observed_texts(i)
            to_text = (
                self.date_formats[i].write if i in self.date_formats else _number_text
            )
            if i in self.date_formats and not in_date_range(values.dropna().to_numpy()):
                raise UserError(
                    f"column {self.frame.columns[i]!r}: an imputed date lies before "
                    "the year 1 or beyond the year 9999; change its delta"
                )
            out.iloc[missing, i] = [
                "" if pd.isna(v) else texts.get(v) or to_text(v) for v in values
            ]
        write_atomically(path, lambda at: out.to_csv(at, index=False))

    def _observed_texts(self, column: int) -> dict:
        """Maps observed values of a column to their text; empty for floats."""
        series = self.frame.iloc[:, column]
        if pd.api.types.is_float_dtype(series.dtype) or self.text is None:
            return {}
        seen = series.notna().to_numpy()
        texts = self.text.iloc[:, column][seen]
        return dict(zip(series[seen].tolist(), texts.tolist(), strict=True))


def _number_text(value: object) -> str:
    return repr(float(value)) if isinstance(value, float) else str(value)


def read_table(path: Path) -> TableFile:
    """Reads a CSV file (UTF-8, separated by commas) or a Parquet file.

    Raises:
      UserError: the file does not exist, has another format or encoding, has no rows
        or columns, or its lines differ in their number of cells.
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
        line = " ".join(str(error).split())[:MAX_ERROR_LENGTH]
        raise UserError(f"{path} cannot be read as a table: {line}") from error
    rows, columns = file.frame.shape
    if not rows or not columns:
        raise UserError(f"{path} has {rows} rows and {columns} columns")
    return file


def _read_parquet(path: Path) -> TableFile:
    table = pq.read_table(path)
    frame = table.to_pandas(types_mapper=NULLABLE_TYPES.get)
    return TableFile(path=path, frame=frame, arrow_schema=table.schema)


def _cast(table: pa.Table, schema: pa.Schema | None) -> pa.Table:
    """Casts columns to their types in `schema`, except where cells do not fit."""
    for i, name in enumerate(table.column_names):
        wanted = schema.field(name) if schema and name in schema.names else None
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


def _read_csv(path: Path) -> TableFile:
    """Reads a CSV twice: with inferred dtypes, and as text."""
    header = _read_header(path)
    # In a table of one column a blank line is a missing cell.
    options: dict = {"index_col": False, "skip_blank_lines": len(header) > 1}
    frame = pd.read_csv(path, dtype_backend="numpy_nullable", **options)
    text = pd.read_csv(path, dtype=str, keep_default_na=False, **options)
    text.columns = header  # pandas adds a suffix to names that occur twice
    date_formats, notes = {}, []
    for i, name in enumerate(frame.columns):
        if not isinstance(frame.dtypes.iloc[i], pd.StringDtype):
            continue
        # Where an integer is too large for its dtypes, pandas reads the column as text
        # and does not convert empty cells to missing ones.
        frame[name] = cells = frame[name].mask(text.iloc[:, i].eq("").to_numpy())
        found = find_date_formats(cells)
        if len(found) == 1:
            date_formats[i] = found[0]
            frame[name] = found[0].read(cells)
        else:
            notes += _notes(name, cells.dropna(), bool(found))
    return TableFile(
        path=path, frame=frame, text=text, date_formats=date_formats, notes=tuple(notes)
    )


def _notes(name: object, cells: pd.Series, ambiguous: bool) -> list[str]:
    """Warns of a column that is read as text but looks like dates or numbers."""
    if cells.empty:
        return []
    start = f"column {name!r} is read as text"
    if ambiguous:
        return [f"{start}: day and month of {cells.iloc[0]!r} cannot be told apart; "
                "write YYYY-MM-DD"]  # fmt: skip
    if cells.str.fullmatch(DATE_PATTERN).all():
        return [f"{start}: its dates, such as {cells.iloc[0]!r}, are not all of one "
                "known format; write YYYY-MM-DD"]  # fmt: skip
    if cells.str.fullmatch(NUMBER_PATTERN).all():
        return [f"{start}, although {cells.iloc[0]!r} looks like a number; write plain "
                "digits and a point"]  # fmt: skip
    return []


def _read_header(path: Path) -> list[str]:
    """Returns the cells of the first line.

    Raises:
      UserError: a line has more or fewer cells than the first, or the cells seem to be
        separated by another character than a comma.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        header = next(lines, [])
        for separator in ";\t|":
            if len(header) == 1 and header[0].count(separator):
                raise UserError(
                    f"{path} has one column, {header[0]!r}: its cells seem to be "
                    f"separated by {separator!r}; separate them by commas"
                )
        for cells in lines:
            if cells and len(cells) != len(header):
                raise UserError(
                    f"{path} cannot be read as a table: line {lines.line_num} has "
                    f"{len(cells)} cells, the first line {len(header)}"
                )
    return header
