"""Rows of a run on text as characters, for its page: samples and completions."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from ambient_jax.data.alphabet import Alphabet
from ambient_jax.report.record import Record

HOLE = "·"
"""Stands for a character that is missing."""

SHOWN = 10
"""Rows that a page shows of each kind at most."""

VISIBLE = str.maketrans({"\n": "⏎", "\r": "⏎", "\t": "⇥"})
"""Signs for the characters that would break the line of a row."""

KINDS = ("observed", "completed", "truth")
"""What is shown of a row, where the run recorded it."""

Pieces = list[tuple[str, bool]]
"""A row in pieces: a text, and whether the model was not shown it."""


@dataclass(frozen=True, kw_only=True)
class TextRows:
    """The rows of a page.

    Attributes:
      samples: new rows.
      test, train: for each row its kinds (`observed`, `completed`, `truth`), each with
        the row in pieces.
    """

    samples: list[str]
    test: list[list[tuple[str, Pieces]]]
    train: list[list[tuple[str, Pieces]]]


def text_rows(record: Record) -> TextRows | None:
    """Returns the rows of a run on text; None for a run on other data."""
    fields: dict[str, Any] | None = record.summary["data"].get("alphabet")
    if fields is None:
        return None
    alphabet, arrays = Alphabet.from_json(fields), record.pictures
    return TextRows(
        samples=[_visible(alphabet, row) for row in arrays["samples"][:SHOWN]],
        test=_completions(alphabet, arrays, "test"),
        train=_completions(alphabet, arrays, "train"),
    )


def pieces(alphabet: Alphabet, row: np.ndarray, observed: np.ndarray) -> Pieces:
    """Cuts a row `[L]` into pieces that were observed and pieces that were not."""
    found: Pieces = []
    for hidden, places in groupby(range(len(row)), lambda i: not observed[i]):
        found.append((_visible(alphabet, row[list(places)]), hidden))
    return found


def _completions(
    alphabet: Alphabet, arrays: dict[str, np.ndarray], which: str
) -> list[list[tuple[str, Pieces]]]:
    kinds = [kind for kind in KINDS if f"{which}_{kind}" in arrays]
    if "observed" not in kinds:
        return []
    shown = arrays[f"{which}_observed"][:SHOWN] < alphabet.num_values
    return [
        [(k, pieces(alphabet, arrays[f"{which}_{k}"][i], shown[i])) for k in kinds]
        for i in range(len(shown))
    ]


def _visible(alphabet: Alphabet, row: np.ndarray) -> str:
    return alphabet.decode(row, missing=HOLE).translate(VISIBLE)
