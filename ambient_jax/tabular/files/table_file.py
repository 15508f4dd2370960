"""Reads tables from files."""

import csv
from pathlib import Path

import pandas as pd

from ambient_jax.errors import UserError
from ambient_jax.tabular.files.csv_file import CsvFile
from ambient_jax.tabular.files.csv_text import CsvOptions
from ambient_jax.tabular.files.parquet_file import ParquetFile

MAX_ERROR_LENGTH = 160
"""Number of characters that are shown of a parser's message."""


def read_table(path: Path, options: CsvOptions | None = None) -> CsvFile | ParquetFile:
    """Reads a CSV or Parquet file.

    Args:
      path: of the file, which ends in `.csv` or `.parquet`.
      options: how it is to be read; of a Parquet file, what means missing.

    Raises:
      ArgumentError: an option does not fit the file.
      UserError: the file does not exist, has another format, has no rows or columns, or
        its lines differ in their number of cells.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise UserError(f"{path} is neither a .csv nor a .parquet file")
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    options = options or CsvOptions()
    try:
        if path.suffix.lower() == ".parquet":
            file = ParquetFile.read(path, options.missing_markers)
        else:
            file = CsvFile.read(path, options)
    except (pd.errors.ParserError, csv.Error, ValueError, OSError) as error:
        line = " ".join(str(error).split())[:MAX_ERROR_LENGTH]
        raise UserError(f"{path} cannot be read as a table: {line}") from error
    rows, columns = file.frame.shape
    if not rows or not columns:
        raise UserError(f"{path} has {rows} rows and {columns} columns")
    return file
