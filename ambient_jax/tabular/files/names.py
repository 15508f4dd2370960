"""Names of the columns of a file, and the fields that name some of them."""

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ambient_jax.errors import ArgumentError
from ambient_jax.tabular.text.column import ReadColumn
from ambient_jax.tabular.text.dates import DATE_PATTERN, DateFormat
from ambient_jax.tabular.text.numbers import NumberFormat, are_numbers


def column_names(header: Sequence[str] | None, unique: Iterable[Any]) -> list[str]:
    """Returns a different name for each column, where possible without blanks around.

    Args:
      header: the cells of the line of names; None if there is none. The columns are
        then `column_1`, `column_2`, ...
      unique: different names for the same columns, as pandas makes them.
    """
    unique = [str(name) for name in unique]
    if header is None:
        return [f"column_{i + 1}" for i in range(len(unique))]
    names = [name.strip() or other
             for name, other in zip(header, unique, strict=True)]  # fmt: skip
    repeated = {name for name in names if names.count(name) > 1}
    return [other if name in repeated else name
            for name, other in zip(names, unique, strict=True)]  # fmt: skip


def split_names(text: str) -> list[str]:
    """Returns the parts of a text between commas, without blanks around.

    A part that holds a comma is put into double quotes: `a,"b, c"`.
    """
    (parts,) = csv.reader([text], skipinitialspace=True)
    return [part.strip() for part in parts if part.strip()]


def named(argument: str, names: Iterable[str], columns: Iterable[Any]) -> list[Any]:
    """Returns the columns that are named; blanks around names do not matter.

    Raises:
      ArgumentError: a name is that of no column.
    """
    columns = list(columns)
    found = []
    for name in names:
        fits = [c for c in columns if c == name]
        fits = fits or [c for c in columns if str(c).strip() == name.strip()]
        if not fits:
            quotes = "; put names that hold a comma into double quotes"
            raise ArgumentError(
                argument,
                f"{{argument}} names column {name!r}, which the table does not have "
                f"(it has {', '.join(map(str, columns))})"
                + (quotes if any("," in str(c) for c in columns) else ""),
            )
        found.append(fits[0])
    return found


def header_note(names: Sequence[str], columns: Sequence[ReadColumn]) -> list[str]:
    """Warns if the first line looks like data: numbers above numbers, or dates.

    Numbers in equal steps, such as years, are names.
    """
    found = []
    for name, column in zip(names, columns, strict=True):
        written, text = column.format, name.strip()
        if isinstance(written, NumberFormat):
            found += [text] if are_numbers([text], written.decimal)[0] else []
        elif isinstance(written, DateFormat):
            found += [text] if re.fullmatch(DATE_PATTERN, text) else []
    if not found or _equal_steps(found):
        return []
    return [
        f"the first line looks like data and not like names ({', '.join(found[:3])}); "
        "if the file has no line of names, set `header` to False"
    ]


def _equal_steps(texts: Sequence[str]) -> bool:
    """Whether the numbers are whole, at least two, and ascend in equal steps."""
    if len(texts) < 2 or not all(text.isdigit() for text in texts):
        return False
    steps = np.diff([int(text) for text in texts])
    return bool((steps == steps[0]).all() and steps[0] > 0)
