"""The text of a CSV file: its encoding, comments, separator and line of names."""

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ambient_jax.errors import ArgumentError, UserError

SEPARATORS = (",", ";", "\t", "|")
"""Separators of cells that are recognized."""

SNIFFED_RECORDS = 100
"""Number of records in which each separator is tried."""

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
"""First bytes of a file that state its encoding."""


@dataclass(frozen=True, kw_only=True)
class CsvOptions:
    """How a CSV file is to be read; what is "" or None is found in the file.

    Attributes:
      encoding: a codec of Python, such as `latin-1`.
      separator: the character between cells.
      decimal: the decimal sign of all numbers, `.` or `,`.
      comment: a line that begins with this text is not read; "" for none.
      header: whether the first line holds the names of the columns.
      missing_markers: the texts that mean missing in every column, instead of those
        that `text.markers` finds.
      numeric: names of columns that hold numbers, although they look like codes.
    """

    encoding: str = ""
    separator: str = ""
    decimal: str = ""
    comment: str = ""
    header: bool = True
    missing_markers: tuple[str, ...] | None = None
    numeric: tuple[str, ...] = ()

    def __post_init__(self):
        if len(self.separator) > 1:
            raise ArgumentError(
                "separator", f"{{argument}}={self.separator!r} must be one character"
            )
        if self.decimal not in ("", ".", ","):
            raise ArgumentError(
                "decimal", f"{{argument}}={self.decimal!r} must be '.' or ','"
            )


@dataclass(frozen=True, kw_only=True)
class CsvText:
    """The text of a CSV file.

    Attributes:
      encoding: its encoding, which states whether a byte-order mark precedes it.
      preamble: the lines before the table: Excel's `sep=;`, comments, blank lines.
      table: the other lines, without comments.
      separator: the character between cells.
      blanks_before_quotes: whether quoted cells may follow a blank, as in `1, "a, b"`.
      names: the cells of the first line; None if the file has no line of names.
    """

    encoding: str
    preamble: str
    table: str
    separator: str
    blanks_before_quotes: bool
    names: tuple[str, ...] | None

    @property
    def line_end(self) -> str:
        """What ends its lines, as in the first one."""
        return "\r\n" if self.table.partition("\n")[0].endswith("\r") else "\n"

    def records(self) -> Iterator[list[str]]:
        """Yields the cells of each line of the table."""
        return csv.reader(
            io.StringIO(self.table, newline=""), delimiter=self.separator,
            skipinitialspace=self.blanks_before_quotes,
        )  # fmt: skip


def read_csv_text(path: Path, options: CsvOptions) -> CsvText:
    """Reads the text of a CSV file.

    Raises:
      ArgumentError: the encoding or the separator is wrong.
      UserError: the file is empty, or its lines differ in their number of cells.
    """
    text, encoding = _decode(path, options.encoding)
    preamble, table, stated = _split_preamble(text, options.comment)
    if not table:
        raise UserError(f"{path} is empty")
    found: str = options.separator or stated or _find_separator(table)
    mark = re.escape(found)
    # Two quotes inside a quoted cell are one, as in "a, ""b""", and begin none.
    quoted = re.search(rf'(?:^|{mark}) +"(?!"[^{mark}\r\n])', table, re.MULTILINE)
    out = CsvText(
        encoding=encoding, preamble=preamble, table=table, separator=found,
        blanks_before_quotes=quoted is not None, names=None,
    )  # fmt: skip
    first = _check_lengths(path, out, options)
    names = tuple(first) if options.header else None
    return replace(out, names=names)


def _decode(path: Path, encoding: str) -> tuple[str, str]:
    """Returns the text of a file and its encoding."""
    raw = path.read_bytes()
    known = next((name for mark, name in BYTE_ORDER_MARKS if raw.startswith(mark)), "")
    encoding = encoding or known or "utf-8"
    try:
        text = raw.decode(encoding)
    except LookupError as error:
        raise ArgumentError(
            "encoding", f"{{argument}}={encoding!r} is no encoding that Python knows"
        ) from error
    except UnicodeError as error:
        reason = getattr(error, "reason", error)
        raise ArgumentError(
            "encoding", f"{path} is not {encoding.upper()} ({reason}); set "
            "{argument}, for example to cp1252 or latin-1 (Western Europe) or utf-16",
        ) from error  # fmt: skip
    if "\0" in text[:1000]:
        raise ArgumentError(
            "encoding", f"{path} holds NUL characters, as UTF-16 does without a "
            "byte-order mark; set {argument} to utf-16-le or utf-16-be",
        )  # fmt: skip
    return text, encoding


def _split_preamble(text: str, comment: str) -> tuple[str, str, str]:
    """Returns the lines before the table, the table, and the separator they state."""
    preamble, table, separator, in_quotes = [], [], "", False
    for number, line in enumerate(io.StringIO(text, newline="")):
        stated = re.fullmatch(r'"?sep=(.)"?', line.rstrip("\r\n"))
        is_comment = bool(comment) and line.startswith(comment) and not in_quotes
        if number == 0 and stated:
            separator = stated[1]
            preamble.append(line)
        elif not table and (is_comment or not line.strip()):
            preamble.append(line)
        elif not is_comment:
            table.append(line)
            in_quotes ^= line.count('"') % 2 == 1
    return "".join(preamble), "".join(table), separator


def _find_separator(table: str) -> str:
    """Returns the separator that cuts the first records into most cells, all alike.

    If none cuts all alike, it is the one that cuts the first record into most cells.
    """
    best = (False, 1, SEPARATORS[0])
    for separator in SEPARATORS:
        lines = csv.reader(io.StringIO(table, newline=""), delimiter=separator)
        records = [r for r in itertools.islice(lines, SNIFFED_RECORDS) if r]
        cells = len(records[0]) if records else 0
        alike = all(len(record) == cells for record in records)
        if cells > 1 and (alike, cells) > best[:2]:
            best = (alike, cells, separator)
    return best[2]


def _check_lengths(path: Path, text: CsvText, options: CsvOptions) -> list[str]:
    """Returns the cells of the first line, of which all lines have as many.

    Raises:
      UserError: a line has more or fewer cells than the first.
    """
    lines = text.records()
    first = next(lines, [])
    for cells in lines:
        if cells and len(cells) != len(first):
            where = getattr(lines, "line_num", 0) + text.preamble.count("\n")
            hint = ""
            if first[0].startswith("#") and not options.comment:
                hint = "; if '#' begins a comment, set {argument} to it"
            raise ArgumentError(
                "comment", f"{path} cannot be read as a table: line {where} has "
                f"{len(cells)} cells, the first line {len(first)} (cells are "
                f"separated by {text.separator!r}){hint}",
            )  # fmt: skip
    return first
