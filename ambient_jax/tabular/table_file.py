"""CSV and Parquet files with holes: read, and written with the observed text kept."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ambient_jax.errors import UserError
from ambient_jax.files import write_atomically


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """A file as a typed frame, and for CSV its text as it stood.

    Attributes:
      path: of the file.
      frame: typed; nullable dtypes for CSV, so that whole numbers stay whole.
      text: the same cells as text, for CSV; None for Parquet.
    """

    path: Path
    frame: pd.DataFrame
    text: pd.DataFrame | None

    @property
    def suffix(self) -> str:
        """`.csv` or `.parquet`."""
        return ".csv" if self.text is not None else ".parquet"

    def write(self, path: Path, completed: pd.DataFrame) -> None:
        """Writes `completed` atomically; a CSV keeps the text of observed cells."""
        if self.text is None:
            write_atomically(path, lambda at: completed.to_parquet(at, index=False))
            return
        out = self.text.copy()
        for i in range(out.shape[1]):
            hole = np.flatnonzero(self.frame.iloc[:, i].isna().to_numpy())
            values = completed.iloc[:, i].iloc[hole]
            texts = self._spelling(i)
            out.iloc[hole, i] = [
                "" if pd.isna(v) else texts.get(v, _number(v)) for v in values
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
        if path.suffix.lower() == ".parquet":
            frame, text = pd.read_parquet(path), None
        else:
            frame, text = _read_csv(path)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error.reason}); convert it") from error
    except pd.errors.EmptyDataError as error:
        raise UserError(f"{path} is empty") from error
    except (pd.errors.ParserError, csv.Error, ValueError, OSError) as error:
        line = " ".join(str(error).split())[:160]
        raise UserError(f"{path} cannot be read as a table: {line}") from error
    if 0 in frame.shape:
        raise UserError(f"{path} has {len(frame)} rows and {frame.shape[1]} columns")
    return TableFile(path=path, frame=frame, text=text)


def _read_csv(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The file typed, and as text under the header that it has."""
    header = _header(path)
    # In a table of one column a blank line is a missing cell.
    same: dict = {"index_col": False, "skip_blank_lines": len(header) > 1}
    frame = pd.read_csv(path, dtype_backend="numpy_nullable", **same)
    text = pd.read_csv(path, dtype=str, keep_default_na=False, **same)
    text.columns = header  # where pandas told equal names apart
    return frame, text


def _header(path: Path) -> list[str]:
    """The first line's cells; a `UserError` if another line has more or fewer."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        header = next(lines, [])
        for cells in lines:
            if cells and len(cells) != len(header):
                raise UserError(
                    f"{path} cannot be read as a table: line {lines.line_num} has "
                    f"{len(cells)} cells, the first line {len(header)}"
                )
    return header
