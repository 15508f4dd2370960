"""Texts that mark missing cells, such as `?` in a column of numbers."""

from collections.abc import Mapping

UNMISTAKABLE = frozenset((
    "?", "??", "na", "NA", "n/a", "N/A", "n.a.", "N.A.", "nan", "NaN", "NAN", "-nan",
    "-NaN", "null", "NULL", "<na>", "<NA>", "#n/a", "#N/A", "#N/A N/A", "#na", "#NA",
    "#VALUE!", "#REF!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "1.#IND", "-1.#IND",
    "1.#QNAN", "-1.#QNAN",
))  # fmt: skip
"""Texts that mean missing in every column.

Their case matters: `NA` is one of them, `Na` is sodium. `None` is not among them: in a
column of text it often is an answer."""

USUAL = frozenset(text.casefold() for text in UNMISTAKABLE) | frozenset((
    "-", "--", "---", "–", "—", ".", "..", "...", "*", "**", "none", "nil", "missing",
    "unknown", "unk", "undefined", "not available", "not known", "no data",
    "not applicable", "k.a.",
))  # fmt: skip
"""Texts that mean missing in any case, but only beside numbers or dates."""

MIN_VALUE_SHARE = 0.9
"""Unknown words are markers only where numbers or dates are at least this share of a
column's observed cells."""

MAX_UNKNOWN_WORDS = 3
"""More different unknown words than this are no markers."""

MIN_REPEATS = 2
"""A word that occurs less often is no marker: it may be an error of typing."""


def is_unmistakable(text: str) -> bool:
    """Whether a text, without blanks around, means missing in every column."""
    return not text or text in UNMISTAKABLE


def is_usual(text: str) -> bool:
    """Whether a text, without blanks around, means missing beside numbers or dates."""
    return not text or text.casefold() in USUAL


def markers_beside_values(
    words: Mapping[str, int], num_values: int
) -> tuple[str, ...] | None:
    """Returns the words that mean missing in a column of numbers or dates.

    The usual markers count however frequent they are. Other words count if they have no
    digit (`<0.1` is a measurement), are repeated, are at most `MAX_UNKNOWN_WORDS`, and
    stand beside values in nearly all other cells.

    Args:
      words: how often each text that is no number and no date occurs, without blanks
        around.
      num_values: number of cells that are numbers or dates.

    Returns:
      All of the words; None if one of them is no marker, so that the column is text.
    """
    if not num_values:
        return None
    unknown = {word: n for word, n in words.items() if not is_usual(word)}
    total = num_values + sum(unknown.values())
    if (
        len(unknown) > MAX_UNKNOWN_WORDS
        or num_values < MIN_VALUE_SHARE * total
        or any(n < MIN_REPEATS for n in unknown.values())
        or any(letter.isdigit() for word in unknown for letter in word)
    ):
        return None
    return tuple(words)
