"""Reads a column of text: its missing cells, and what its values are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import pandas as pd

from ambient_jax.tabular.text.dates import DATE_PATTERN, DateFormat, find_date_formats
from ambient_jax.tabular.text.markers import (
    MAX_UNKNOWN_WORDS,
    is_unmistakable,
    is_usual,
    markers_beside_values,
)
from ambient_jax.tabular.text.numbers import (
    DECIMAL_SIGNS,
    NumberFormat,
    are_numbers,
    find_number_format,
    have_leading_zeros,
)

TRUTH_VALUES = {"True": True, "TRUE": True, "true": True,
                "False": False, "FALSE": False, "false": False}  # fmt: skip
"""The texts that pandas reads as booleans."""

NOTED_SHARE = 0.5
"""Where at least this share of the cells of a column of text are numbers or dates, the
texts that prevent it from being one of numbers or dates are reported."""

FIRST_WORDS = 100
"""Number of texts that are looked at before all are."""

SHOWN = 3
"""Number of texts that a note shows."""


@dataclass(frozen=True, kw_only=True)
class ReadColumn:
    """A column of text as it was read.

    Attributes:
      cells: `[n]` in a nullable dtype or of dates; missing where the text is blank or
        a marker.
      format: how numbers and dates are written; None for text and booleans.
      markers: how often each marker occurs, blank cells excepted.
      notes: what was guessed, or could not be read, one line each.
    """

    cells: pd.Series
    format: NumberFormat | DateFormat | None = None
    markers: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class ColumnText:
    """The texts of a column, of which each is looked at once.

    Blanks around a text never matter.

    Args:
      cells: `[n]` texts; missing cells are allowed.
      markers: the texts that mean missing. None: those that `text.markers` finds.
    """

    def __init__(self, cells: pd.Series, markers: Sequence[str] | None = None):
        self.name = cells.name
        self._text = cells.astype("string").str.strip()
        self._markers = markers
        counts = self._text.value_counts()
        counts.index = counts.index.astype(object)  # many times faster to iterate over
        missing = [self._means_missing(word) for word in counts.index]
        self._missing = {w: int(n) for w, n in counts[missing].items() if w}
        self._counts = counts[np.logical_not(missing)].astype(int)

    def _means_missing(self, word: str) -> bool:
        if self._markers is None:
            return is_unmistakable(word)
        return not word or word in self._markers

    @cached_property
    def _words(self) -> pd.Index:
        return self._counts.index

    @cached_property
    def _dates(self) -> tuple[str, ...] | None:
        """The markers beside dates; None if the other texts are not all dates."""
        return self._markers_beside(look_like_dates)

    @cached_property
    def _numbers(self) -> dict[str, tuple[str, ...]]:
        """By the decimal signs with which the column is one of numbers, the markers."""
        found = {}
        for decimal in DECIMAL_SIGNS:
            words = self._markers_beside(partial(are_numbers, decimal=decimal))
            if words is not None and find_number_format(
                self._counts.index.drop(list(words)), decimal
            ):
                found[decimal] = words
        return found

    def _markers_beside(
        self, are_values: Callable[[pd.Index], np.ndarray]
    ) -> tuple[str, ...] | None:
        """Returns the markers beside values; None if other texts are beside them.

        The first words tell of most columns of other values that they are no such ones.
        """
        first = self._words[:FIRST_WORDS]
        unknown = [word for word in first[~are_values(first)] if not is_usual(word)]
        if len(unknown) > MAX_UNKNOWN_WORDS:
            return None
        is_value = are_values(self._words)
        others = self._counts[~is_value]
        if len(others) and self._markers is not None:
            return None
        return markers_beside_values(
            dict(others.items()), int(self._counts[is_value].sum())
        )

    @property
    def decimal(self) -> str | None:
        """The decimal sign, if its numbers have one and can have no other."""
        signs = list(self._numbers)
        if len(signs) == 1 and self._words.str.contains(signs[0], regex=False).any():
            return signs[0]
        return None

    @property
    def comma_is_open(self) -> bool:
        """Whether a comma may separate its decimals as well as its thousands."""
        return len(self._numbers) > 1 and any("," in word for word in self._words)

    def read(
        self, *, decimal: str = "", usual_decimal: str = ".", numeric: bool = False
    ) -> ReadColumn:
        """Reads the column.

        Args:
          decimal: the decimal sign of its numbers; "" for the one that is possible.
          usual_decimal: the one that is taken if both are possible.
          numeric: whether digits with leading zeros are numbers. They are codes, and
            therefore text, by default.
        """
        if not len(self._counts):
            return self._found(pd.Series([], dtype="Int64"), self._counts)
        if all(word in TRUTH_VALUES for word in self._words):
            values = pd.Series([TRUTH_VALUES[word] for word in self._words])
            return self._found(values.astype("boolean"), self._counts)
        if self._dates is not None:
            return self._read_dates(self._dates)
        signs = [decimal] if decimal else [usual_decimal, *DECIMAL_SIGNS]
        for sign in signs:
            if sign in self._numbers:
                return self._read_numbers(sign, self._numbers[sign], numeric)
        return self._as_text(self._text_note())

    def _read_numbers(
        self, decimal: str, markers: tuple[str, ...], numeric: bool
    ) -> ReadColumn:
        counts = self._counts.drop(list(markers))
        written = find_number_format(counts.index, decimal)
        assert written is not None
        padded = have_leading_zeros(counts.index)
        try:
            values = written.read(counts.index)
        except OverflowError:
            return self._as_text(
                f", although {counts.index[0]!r} looks like a number: not all of its "
                "whole numbers fit into 64 bits", markers,
            )  # fmt: skip
        if padded.any() and not numeric and values.dtype == "Int64":
            cells = _cells(int(counts[padded].sum()))
            return self._as_text(
                f", as codes: {cells} with leading zeros, such as "
                f"{counts.index[padded][0]!r}; if these are numbers, name it in "
                "`numeric`", markers,
            )  # fmt: skip
        points = written.decimal == "." or not counts.index.str.contains(",").any()
        note = () if written.plain or (points and not written.signs) else (
            f"column {self.name!r} is read as numbers that are written like "
            f"{str(written)!r}; `decimal` sets the decimal sign",
        )  # fmt: skip
        return self._found(values, counts, markers, written, note)

    def _read_dates(self, markers: tuple[str, ...]) -> ReadColumn:
        counts = self._counts.drop(list(markers))
        texts = pd.Series(counts.index, dtype="string")
        found = find_date_formats(texts)
        if len(found) == 1:
            return self._found(found[0].read(texts), counts, markers, found[0])
        fault = f"its dates, such as {texts[0]!r}, are not all of one known format"
        if found:
            fault = f"day and month of {texts[0]!r} cannot be told apart"
        return self._as_text(f": {fault}; write YYYY-MM-DD", markers)

    def _as_text(self, ending: str, markers: tuple[str, ...] = ()) -> ReadColumn:
        """The column as text; `ending` continues the note that it is, if not ""."""
        counts = self._counts.drop(list(markers))
        values = pd.Series(counts.index, dtype="string")
        notes = (f"column {self.name!r} is read as text{ending}",) if ending else ()
        return self._found(values, counts, markers, notes=notes)

    def _found(
        self, values: pd.Series, counts: pd.Series, markers: tuple[str, ...] = (),
        written: NumberFormat | DateFormat | None = None, notes: tuple[str, ...] = (),
    ) -> ReadColumn:  # fmt: skip
        """Spreads the values of the different texts, in the order of `counts`."""
        position = counts.index.get_indexer(self._text.to_numpy(object))
        if len(values):
            cells = values.take(position.clip(0)).mask(position < 0)
        else:
            cells = pd.Series(pd.NA, range(len(position)), values.dtype)
        cells = cells.set_axis(self._text.index).rename(self.name)
        beside = {word: int(self._counts[word]) for word in markers}
        return ReadColumn(
            cells=cells, format=written, markers=self._missing | beside, notes=notes
        )

    def _text_note(self) -> str:
        """Continues the note that the column is text; "" if that is beyond doubt."""
        words = self._words
        is_value = np.logical_or.reduce(
            [*(are_numbers(words, decimal) for decimal in DECIMAL_SIGNS),
             look_like_dates(words)]
        )  # fmt: skip
        others = self._counts[~is_value]
        if not len(others):
            return (f", although {words[0]!r} looks like a number; write plain digits "
                    "and a point, with one sign or none in all cells")  # fmt: skip
        if others.sum() <= (1 - NOTED_SHARE) * self._counts.sum():
            more = ", ..." if len(others) > SHOWN else ""
            return (f", because of {_shown(others[:SHOWN])}{more}; if they mean "
                    "missing, name them in `missing_markers`")  # fmt: skip
        usual = self._counts[[is_usual(word) for word in words]]
        if self._markers is not None or not len(usual) or len(usual) == len(words):
            return ""
        return (f", and {_shown(usual)} as a value of it; if that means missing, name "
                "it in `missing_markers`")  # fmt: skip


def look_like_dates(words: pd.Index) -> np.ndarray:
    """Returns `[n]` bool: which texts have the look of a date, see `DATE_PATTERN`."""
    return np.asarray(words.str.fullmatch(DATE_PATTERN), bool)


def _shown(counts: pd.Series) -> str:
    """Texts with the number of their cells."""
    return ", ".join(f"{word!r} ({_cells(n)})" for word, n in counts.items())


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"
