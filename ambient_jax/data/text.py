"""Rows of characters: a text file, a folder of them, or a corpus that Python has."""

import dataclasses
import pydoc_data.topics
from pathlib import Path

import numpy as np

from ambient_jax.data.alphabet import alphabet_of
from ambient_jax.data.dataset import Dataset
from ambient_jax.data.load import Complete, from_rows
from ambient_jax.data.missingness import Missingness
from ambient_jax.data.npz import Rows
from ambient_jax.data.split import validation_count
from ambient_jax.errors import ArgumentError, UserError

SOURCE, PREFIX = "text", "text:"
"""The source that is Python's own documentation, and the prefix of a path."""

FEWEST_ROWS = 20
"""A text must fill so many rows, of which the test set gets a tenth: two rows."""

TEST_DIVISOR = 10
"""The last one in ten characters of a text is for tests."""


MOST_HELD_OUT = 300
"""Test rows, and validation rows, at most, unless their number is asked for: to score
them is a large part of a run on a CPU, and texts are long."""


def is_text(source: str) -> bool:
    """Whether a source is one of `load_text`: `text` or `text:PATH`."""
    return source == SOURCE or source.startswith(PREFIX)


def load_text(
    source: str,
    *,
    missingness: Missingness,
    length: int = 64,
    alphabet: str = "text8",
    gap: str | None = None,
    num_train: int | None = None,
    num_valid: int | None = None,
    num_test: int | None = None,
    seed: int = 0,
    complete: Complete = "none",
) -> Dataset:
    """Loads a text as rows of `length` characters.

    The last tenth of the text makes the test rows. The rest makes the rows to train on
    and to validate with. What is left of either at its end, less than a row, is left
    out. A character that `gap` marks is missing, like a missing cell of any other data.

    Args:
      source: `text` (see `python_documentation`) or `text:PATH` (see `read_text`).
      missingness: masks characters of a text without gaps; a text with gaps is not
        masked further.
      length: L, characters of a row.
      alphabet: `text8`, `bytes` or `own`; see `Alphabet`.
      gap: the character that marks a missing one; None: none is marked.
      num_train: number of rows before the last tenth, drawn at random, validation rows
        included. None: all.
      num_valid: number of those rows that are held out for validation. None: 10 %, but
        at most `MOST_HELD_OUT`.
      num_test: number of rows of the last tenth, drawn at random. None: all, but at
        most `MOST_HELD_OUT`.
      seed, complete: see `load_dataset`.

    Raises:
      ArgumentError: an argument does not fit the text.
      UserError: the text cannot be read, or is empty.
    """
    own = source != SOURCE
    text = read_text(source.removeprefix(PREFIX)) if own else python_documentation()
    made = alphabet_of(text, alphabet, gap)
    if length < 1:
        raise ArgumentError("length", f"{{argument}}={length}: must be at least 1")
    x, x_test = rows_of(made.encode(text), length)
    rows = Rows(x=x, x_test=x_test, y=None, y_test=None, num_values=made.num_values)
    if num_test is None:
        num_test = min(len(x_test), MOST_HELD_OUT)
    if num_valid is None:
        total = len(x) if num_train is None else num_train
        num_valid = min(validation_count(total, None), MOST_HELD_OUT)
    found = from_rows(
        rows, source, missingness=missingness, num_train=num_train,
        num_valid=num_valid, num_test=num_test, seed=seed, complete=complete,
    )  # fmt: skip
    return dataclasses.replace(found, alphabet=made)


def rows_of(tokens: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Cuts a text `[n]` into rows `[N, L]` and test rows `[M, L]`, which come last.

    Raises:
      ArgumentError: the text fills fewer than `FEWEST_ROWS` rows.
    """
    if len(tokens) < FEWEST_ROWS * length:
        raise ArgumentError(
            "length",
            f"{{argument}}={length}: the text has {len(tokens)} characters and must "
            f"fill {FEWEST_ROWS} rows; give more text, or shorter rows",
        )
    test = len(tokens) // TEST_DIVISOR
    parts = tokens[: len(tokens) - test], tokens[len(tokens) - test :]
    x, x_test = (
        part[: len(part) // length * length].reshape(-1, length) for part in parts
    )
    return x, x_test


def read_text(path: str | Path) -> str:
    """Returns the text of a UTF-8 file, or of all files below a folder.

    The files of a folder are joined by line ends, in the order of their paths; those
    whose name, or a folder of theirs, begins with a dot are left out.

    Raises:
      UserError: there is no text, or it is not UTF-8; names the file and the byte.
    """
    path = Path(path).expanduser()
    files = [path]
    if path.is_dir():
        files = sorted(
            file
            for file in path.rglob("*")
            if file.is_file()
            and not any(name.startswith(".") for name in file.relative_to(path).parts)
        )
    text = "\n".join(_decoded(file) for file in files)
    if not text.strip():
        raise UserError(f"{path} holds no text; give a UTF-8 file or a folder of them")
    return text


def _decoded(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is not UTF-8: byte {error.object[error.start]:#04x} at offset "
            f"{error.start}; convert it, for example with iconv -t utf-8"
        ) from error


def python_documentation() -> str:
    """Returns the topics of Python's `help`, in the order of their names.

    Every Python has them (`pydoc_data.topics`), but each version its own: that of
    CPython 3.11.7 has 464,970 characters, and its UTF-8 bytes have the SHA-256 hash
    37d06970fc926e60c16dff401e441b84752446a36b6b64516c229fdec77e992c.
    """
    topics = pydoc_data.topics.topics
    return "".join(topics[name] for name in sorted(topics))
