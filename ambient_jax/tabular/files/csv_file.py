"""Reads a CSV table, and writes it with the text of its observed cells unchanged."""

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ambient_jax.errors import UserError
from ambient_jax.files import write_atomically
from ambient_jax.tabular.files.csv_text import CsvOptions, CsvText, read_csv_text
from ambient_jax.tabular.files.names import column_names, header_note, named
from ambient_jax.tabular.frames.kinds import in_date_range
from ambient_jax.tabular.text.column import ColumnText, ReadColumn
from ambient_jax.tabular.text.dates import DateFormat


@dataclass(frozen=True, kw_only=True)
class CsvFile:
    """The content of a CSV file.

    Attributes:
      path: path of the file.
      frame: its cells; in nullable dtypes, so that integers with missing cells stay
        integers. The names of its columns have no blanks around them.
      text: `frame` as it is written in the file.
      columns: for each column how it was read.
      layout: what surrounds the cells in the file.
      notes: what was guessed about the file, one line each.
    """

    path: Path
    frame: pd.DataFrame
    text: pd.DataFrame
    columns: tuple[ReadColumn, ...]
    layout: CsvText
    notes: tuple[str, ...]

    suffix: ClassVar[str] = ".csv"

    @classmethod
    def read(cls, path: Path, options: CsvOptions) -> "CsvFile":
        """Reads a file.

        Raises:
          ArgumentError: an option does not fit the file.
          UserError: the file has no cells, or lines of different lengths.
        """
        layout = read_csv_text(path, options)
        text = _read_text(layout)
        columns = _read_columns(text, options, layout.separator)
        frame = pd.DataFrame({i: c.cells for i, c in enumerate(columns)})
        frame.columns = text.columns
        return cls(
            path=path, frame=frame, text=text, columns=columns, layout=layout,
            notes=(*_layout_notes(layout, columns, options), *_marker_notes(columns),
                   *(note for column in columns for note in column.notes)),
        )  # fmt: skip

    def write(self, path: Path, completed: pd.DataFrame) -> None:
        """Writes a completed copy of `frame` in the format of this file, atomically.

        Observed cells, and missing ones that were not imputed, have the text that they
        had in the file.

        Raises:
          UserError: an imputed date is out of range; names the column.
        """
        out = self.text.astype(object)
        for i, column in enumerate(self.columns):
            missing = self.frame.iloc[:, i].isna().to_numpy()
            imputed = np.flatnonzero(missing & completed.iloc[:, i].notna().to_numpy())
            values = completed.iloc[imputed, i]
            if isinstance(column.format, DateFormat) and not in_date_range(
                values.to_numpy()
            ):
                raise UserError(
                    f"column {self.frame.columns[i]!r}: an imputed date lies before "
                    "the year 1 or beyond the year 9999; change its delta"
                )
            to_text = self._writer(i)
            out.iloc[imputed, i] = [to_text(value) for value in values]
        names = self.layout.names
        cells = out.to_csv(
            index=False, header=False if names is None else list(names),
            sep=self.layout.separator, lineterminator=self.layout.line_end,
        )  # fmt: skip
        encoded = (self.layout.preamble + cells).encode(self.layout.encoding)

        def write_bytes(at: Path) -> None:
            at.write_bytes(encoded)

        write_atomically(path, write_bytes)

    def _writer(self, i: int) -> Any:
        """The function that writes imputed values of a column.

        Text and booleans are written as they are most often in the file.
        """
        column = self.columns[i]
        if column.format is not None:
            return column.format.write
        seen = column.cells.notna().to_numpy()
        pairs = zip(column.cells[seen], self.text.iloc[:, i][seen], strict=True)
        common = dict(pair for pair, _ in reversed(Counter(pairs).most_common()))
        return lambda value: common.get(value, str(value))


def _read_text(layout: CsvText) -> pd.DataFrame:
    """Returns the cells of a file as text, "" where they are empty."""
    options: dict[str, Any] = {} if layout.names is not None else {"header": None}
    width = len(next(layout.records()))
    text = pd.read_csv(
        io.StringIO(layout.table), sep=layout.separator, dtype=str, index_col=False,
        keep_default_na=False, skipinitialspace=layout.blanks_before_quotes,
        # In a table of one column a blank line is a missing cell.
        skip_blank_lines=width > 1, **options,
    )  # fmt: skip
    text.columns = pd.Index(column_names(layout.names, text.columns))
    return text


def _read_columns(
    text: pd.DataFrame, options: CsvOptions, separator: str
) -> tuple[ReadColumn, ...]:
    """Reads all columns.

    Where a comma or a point may separate decimals as well as thousands, it means what
    it means in most of the other columns. If it is seen nowhere else, numbers such as
    1,234 have decimals where semicolons separate the cells, and thousands otherwise.
    """
    numeric = named("numeric", options.numeric, text.columns)
    columns = [ColumnText(text.iloc[:, i], options.missing_markers)
               for i in range(text.shape[1])]  # fmt: skip
    seen = Counter(column.decimal for column in columns if column.decimal)
    usual = "," if seen[","] > seen["."] else "."
    if not seen and separator == ";" and any(c.comma_is_open for c in columns):
        usual = ","
    return tuple(
        column.read(decimal=options.decimal, usual_decimal=usual,
                    numeric=column.name in numeric)
        for column in columns
    )  # fmt: skip


def _layout_notes(
    layout: CsvText, columns: tuple[ReadColumn, ...], options: CsvOptions
) -> list[str]:
    notes = []
    stated = options.separator or "sep=" in layout.preamble
    if layout.separator != "," and not stated:
        notes.append(
            f"cells are separated by {layout.separator!r}; `separator` sets it"
        )
    if layout.names is not None:
        notes += header_note(layout.names, columns)
    return notes


def _marker_notes(columns: tuple[ReadColumn, ...]) -> list[str]:
    """One note for each marker that is read as missing."""
    found: dict[str, list[str]] = {}
    for column in columns:
        for marker, count in column.markers.items():
            cells = "1 cell" if count == 1 else f"{count} cells"
            found.setdefault(marker, []).append(f"{column.cells.name!r} ({cells})")
    return [
        f"{marker!r} is read as missing in {', '.join(where)}; `missing_markers` sets "
        "what is"
        for marker, where in found.items()
    ]
