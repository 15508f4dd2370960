"""Texts that are numbers: which columns are read as numbers, and how cells are written.

The rule is that of a CSV, in which every number is a text: a column is one of numbers
if each of its observed cells is.
"""

import numbers

import numpy as np
import pandas as pd

NUMBER_TEXT = r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*"
"""Regular expression of a number in plain digits, with a decimal point."""

CODE_TEXT = r"\s*[-+]?(?:0\d.*|\d{19,})\s*"
"""Regular expression of a number that is a code: one with a leading zero, such as a zip
code, or one of so many digits that no integer type of a CSV's reader holds it."""

TEXT_TYPES = ("text", "whole text")
"""Ways in which imputed numbers are written as text, see `text_type_of`."""


def is_number_text(cells: pd.Series) -> bool:
    """Whether observed cells are numbers of which some are written as text.

    Numbers that are not text may be among them, but at least one cell must be text.

    Args:
      cells: `[n]` observed cells, of a dtype of text or objects.
    """
    texts = []
    for cell in pd.unique(cells.astype(object)):
        if isinstance(cell, str):
            texts.append(cell)
            if len(texts) == 1 and not _all_numbers(texts):
                return False  # the usual column of words
        elif isinstance(cell, bool | np.bool_) or not isinstance(cell, numbers.Real):
            return False
    return bool(texts) and _all_numbers(texts)


def _all_numbers(texts: list[str]) -> bool:
    cells = pd.Series(texts, dtype=object).str
    return bool(cells.fullmatch(NUMBER_TEXT).all() and not cells.match(CODE_TEXT).any())


def text_type_of(cells: pd.Series) -> str:
    """Returns how imputed numbers are written in a column of `is_number_text`.

    The result is "text", "whole text" if no cell has a point or an exponent, or "" if
    some observed cells are numbers: imputed cells are numbers then, too.
    """
    found = pd.unique(cells.dropna().astype(object))
    if not all(isinstance(cell, str) for cell in found):
        return ""
    plain = not any(set(".eE") & set(cell) for cell in found)
    return "whole text" if plain else "text"


def to_text(values: np.ndarray, text_type: str) -> np.ndarray:
    """Writes numbers `[n]` as texts, an object array; see `text_type_of`."""
    out = np.empty(len(values), object)
    if text_type == "whole text":
        out[:] = [str(int(value)) for value in np.round(values)]
    else:
        out[:] = [repr(value) for value in values.astype(np.float64).tolist()]
    return out
