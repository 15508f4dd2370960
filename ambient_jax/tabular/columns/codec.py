"""TableCodec: the columns of a DataFrame as tokens, one per column."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from ambient_jax.data.dataset import token_dtype
from ambient_jax.networks.context import CONTEXT_PER_COLUMN
from ambient_jax.tabular.columns.column import Column
from ambient_jax.tabular.columns.estimates import choose_estimate, features_of
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.frames.kinds import holds_text, kind_of
from ambient_jax.tabular.frames.number_text import is_number_text

MIN_IDENTIFIERS = 12
"""A column with fewer texts than this is never taken for an identifier: a few texts may
all be different by chance."""

CERTAIN_IDENTIFIERS = 100
"""A column with this many texts, all different, is an identifier even if its cells are
missing in most rows."""

ESTIMATE_ROWS = 5_000
"""Number of rows, evenly spaced, by which the point estimates are chosen."""


def padded_size(size: int) -> int:
    """Returns a number of values not below `size`, one of a few.

    Tables whose largest vocabularies differ by some values then share their compiled
    programs. The values that no column has get probability 0.
    """
    step = 16 if size <= 64 else 64
    return -(-size // step) * step


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The N rows of a frame as arrays.

    Attributes:
      tokens: `[N, L]`; MASK = V where a cell is missing or of a category never seen.
      context: `[N, 3 L]` float32. For each column the normal score and the standard
        score of an observed number, then 1; three zeros for any other cell.
      values: `[N, L]` float64 observed numbers; NaN for any other cell.
    """

    tokens: np.ndarray
    context: np.ndarray
    values: np.ndarray

    def take(self, rows: np.ndarray | slice) -> "Encoded":
        """Returns the rows at positions `[n]`."""
        return Encoded(
            tokens=self.tokens[rows], context=self.context[rows],
            values=self.values[rows],
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TableCodec:
    """The vocabularies of a frame's columns, fitted on its observed cells.

        codec = TableCodec.fit(frame)
        encoded = codec.encode(frame)          # tokens [N, L], L = codec.length
        codec.columns[0].coder                 # the vocabulary of tokens[:, 0]

    Columns that are empty or identifiers have no tokens, so that a column's index in
    the codec may differ from its position in the frame.

    Attributes:
      columns: the L columns with tokens, in the order of the frame.
      num_values: V, not below the size of the largest vocabulary, see `padded_size`.
      empty: positions in the frame of columns without an observed cell.
      identifiers: positions in the frame of columns with a different text in each cell.
    """

    columns: tuple[Column, ...]
    num_values: int
    empty: tuple[int, ...] = ()
    identifiers: tuple[int, ...] = ()

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        *,
        max_bins: int = 64,
        max_categories: int = 256,
        categorical: Sequence[int] = (),
        numeric: Sequence[int] = (),
    ) -> "TableCodec":
        """Fits the vocabularies.

        Args:
          frame: N rows; NaN, None, NaT and pd.NA are missing cells.
          max_bins: about how many tokens a numeric column has at most, see
            `Column.fit`.
          max_categories: maximum number of tokens of a categorical column.
          categorical: positions of columns whose numbers or dates are categories.
          numeric: positions of columns whose numbers are no codes; their point estimate
            is the mean.

        Raises:
          ValueError, TypeError: a cell cannot be read; the message names the column.
        """
        columns, empty, identifiers = [], [], []
        for position, name in enumerate(frame.columns):
            series = frame.iloc[:, position]
            observed = series.dropna()
            if len(observed) == 0:
                empty.append(position)
                continue
            kind = kind_of(series, name)
            if position in categorical:
                kind = "category"
            if kind == "category" and _is_identifier(observed, len(frame)):
                identifiers.append(position)
                warnings.warn(
                    f"column {name!r} holds a different text in every row; it is "
                    "passed through and not imputed",
                    UserWarning, stacklevel=3,
                )  # fmt: skip
                continue
            column = Column.fit(
                observed, position, kind, max_bins=max_bins,
                max_categories=max_categories,
            )  # fmt: skip
            columns.append(column)
            for note in _notes(column, observed):
                warnings.warn(note, UserWarning, stacklevel=3)
        codec = cls(
            columns=tuple(columns), num_values=padded_size(_largest(columns)),
            empty=tuple(empty), identifiers=tuple(identifiers),
        )  # fmt: skip
        return codec._with_estimates(frame, numeric)

    def _with_estimates(
        self, frame: pd.DataFrame, numeric: Sequence[int]
    ) -> "TableCodec":
        """Chooses the point estimates of columns of numbers, except of `numeric`."""
        rows = np.unique(np.linspace(0, len(frame) - 1, ESTIMATE_ROWS).astype(int))
        encoded = self.encode(frame.iloc[rows])
        context = encoded.context.reshape(len(rows), self.length, CONTEXT_PER_COLUMN)
        scores = np.where(context[..., 2] > 0, context[..., 0], np.nan)
        features = features_of(encoded.tokens, scores, [
            None if isinstance(c.coder, NumberColumn) else c.coder.share
            for c in self.columns
        ])  # fmt: skip
        columns = list(self.columns)
        for i, column in enumerate(columns):
            coder = column.coder
            if not isinstance(coder, NumberColumn) or column.kind != "number":
                continue
            if column.position in numeric:
                continue
            others = [f for j, f in enumerate(features) if j != i]
            none = np.zeros((len(rows), 0))
            estimate = choose_estimate(
                coder, encoded.tokens[:, i], np.concatenate([none, *others], axis=1)
            )
            columns[i] = replace(column, estimate=estimate)
        return replace(self, columns=tuple(columns))

    @property
    def length(self) -> int:
        """L, the number of columns with tokens."""
        return len(self.columns)

    def encode(self, frame: pd.DataFrame) -> Encoded:
        """Encodes the rows of a frame with the columns of `fit`.

        Raises:
          ValueError: an infinity, or text in a numeric column; names the column.
        """
        n, length, mask = len(frame), self.length, self.num_values
        tokens = np.full((n, length), mask, token_dtype(mask))
        context = np.zeros((n, length, CONTEXT_PER_COLUMN), np.float32)
        values = np.full((n, length), np.nan)
        for i, column in enumerate(self.columns):
            series = frame.iloc[:, column.position]
            observed = series.notna().to_numpy()
            coder = column.coder
            if isinstance(coder, NumberColumn):
                numbers = column.numbers(series)
                values[:, i] = numbers
                tokens[observed, i] = coder.encode(numbers[observed])
                context[observed, i, :2] = coder.context(numbers[observed])
                context[observed, i, 2] = 1.0
            else:
                found = coder.encode(series[observed].to_numpy(object))
                tokens[observed, i] = np.where(found < 0, mask, found)
        return Encoded(tokens=tokens, context=context.reshape(n, -1), values=values)

    def to_json(self) -> dict[str, Any]:
        """Fields that JSON can hold, for `from_json`.

        Raises:
          TypeError: a category cannot be written; names the column.
        """
        columns = [column.to_json() for column in self.columns]
        return {"columns": columns, "num_values": self.num_values,
                "empty": list(self.empty),
                "identifiers": list(self.identifiers)}  # fmt: skip

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "TableCodec":
        """The inverse of `to_json`. Before version 7 V was the largest vocabulary."""
        columns = [Column.from_json(column) for column in fields["columns"]]
        num_values = fields.get("num_values", _largest(columns))
        return cls(
            columns=tuple(columns), num_values=num_values, empty=tuple(fields["empty"]),
            identifiers=tuple(fields["identifiers"]),
        )  # fmt: skip


def _largest(columns: Sequence[Column]) -> int:
    """Returns the size of the largest vocabulary, at least 2."""
    return max([2, *(column.coder.size for column in columns)])


def _notes(column: Column, observed: pd.Series) -> list[str]:
    """Warnings of how the observed cells of a column were read."""
    if column.numeric:
        if not (holds_text(observed.dtype) and is_number_text(observed)):
            return []
        return [f"column {column.name!r} holds numbers that are written as text; they "
                "are read as numbers. If they are codes, name the column in "
                "categorical_features"]  # fmt: skip
    size, found = column.coder.size, observed.astype(object).nunique()
    if found <= size:
        return []
    return [f"column {column.name!r} holds {found} categories, of which only the "
            f"{size} most frequent are learned and imputed (max_categories); the "
            "others stay where they are observed"]  # fmt: skip


def _is_identifier(observed: pd.Series, rows: int) -> bool:
    """Whether the cells are texts, all different, in half of the `rows` or so."""
    required = max(MIN_IDENTIFIERS, min(rows / 2, CERTAIN_IDENTIFIERS))
    if len(observed) < required or not observed.astype(object).is_unique:
        return False
    return all(isinstance(v, str | bytes | UUID) for v in observed)
