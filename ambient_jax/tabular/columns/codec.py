"""TableCodec: a DataFrame to tokens and back."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from ambient_jax.data.dataset import token_dtype
from ambient_jax.tabular.columns.column import Column
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.frames.kinds import from_numbers, kind_of

MIN_IDENTIFIERS = 12
"""Fewer distinct texts than this are categories, even if no two are equal."""

SURE_IDENTIFIERS = 100
"""So many distinct texts are an identifier even where most rows have none."""

PER_COLUMN = 3
"""Numbers of context per column: normal score, standard score, known."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A frame as arrays.

    Attributes:
      tokens: `[N, L]`, MASK = V where missing, or of a category never seen.
      context: `[N, 3 L]` float32: per column normal score, standard score, 1 if
        known; zeros where missing and for categories.
      values: `[N, L]` float64 exact numbers, NaN where missing and for categories.
    """

    tokens: np.ndarray
    context: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, kw_only=True)
class TableCodec:
    """Vocabularies of a frame's columns, fitted on its observed cells.

        codec = TableCodec.fit(frame)
        encoded = codec.encode(frame)
        codec.decode(encoded.tokens, encoded.values)   # equal where observed

    Attributes:
      columns: those with tokens, in order.
      empty: positions of columns without one observed cell.
      identifiers: positions of columns of unique texts.
    """

    columns: tuple[Column, ...]
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
    ) -> "TableCodec":
        """Fits the vocabularies.

        Args:
          frame: `[N, columns]` with holes; NaN, None, NaT and pd.NA are missing.
          max_bins: about how many tokens a numeric column gets at most. It gets one
            per ten observed cells where these are few, but no fewer than four.
          max_categories: most tokens of a categorical column.
          categorical: positions of columns whose numbers or dates are codes.

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
            columns.append(Column.fit(
                observed, position, kind, max_bins=max_bins,
                max_categories=max_categories,
            ))  # fmt: skip
        return cls(
            columns=tuple(columns), empty=tuple(empty), identifiers=tuple(identifiers)
        )

    @property
    def length(self) -> int:
        """L, the number of columns with tokens."""
        return len(self.columns)

    @property
    def num_values(self) -> int:
        """V, the size of the largest vocabulary (at least 2)."""
        return max([2, *(column.coder.size for column in self.columns)])

    def encode(self, frame: pd.DataFrame) -> Encoded:
        """The frame's cells as tokens, context and exact numbers.

        Raises:
          ValueError: an infinity, or text in a numeric column; names the column.
        """
        n, length, mask = len(frame), self.length, self.num_values
        tokens = np.full((n, length), mask, token_dtype(mask))
        context = np.zeros((n, length, PER_COLUMN), np.float32)
        values = np.full((n, length), np.nan)
        for i, column in enumerate(self.columns):
            series = frame.iloc[:, column.position]
            seen = series.notna().to_numpy()
            coder = column.coder
            if isinstance(coder, NumberColumn):
                numbers = column.numbers(series)
                values[:, i] = numbers
                tokens[seen, i] = coder.encode(numbers[seen])
                context[seen, i, :2] = coder.context(numbers[seen])
                context[seen, i, 2] = 1.0
            else:
                found = coder.encode(series[seen].to_numpy(object))
                tokens[seen, i] = np.where(found < 0, mask, found)
        return Encoded(tokens=tokens, context=context.reshape(n, -1), values=values)

    def decode(
        self,
        tokens: np.ndarray,
        values: np.ndarray | None = None,
        uniforms: np.ndarray | None = None,
    ) -> list[np.ndarray]:
        """The cells of each column, as objects, numbers or dates; no MASK in `tokens`.

        Args:
          tokens: `[N, L]`.
          values: `[N, L]` exact numbers to keep where they are not NaN.
          uniforms: `[N, L]` in [0, 1): where inside its bin a number lies; without
            them, at the bin's median.
        """
        out = []
        for i, column in enumerate(self.columns):
            coder, k = column.coder, tokens[:, i].astype(np.int64)
            if not isinstance(coder, NumberColumn):
                out.append(coder.decode(k))
                continue
            u = np.full(len(k), 0.5) if uniforms is None else uniforms[:, i]
            numbers = coder.decode(k, u)
            if values is not None:
                numbers = np.where(np.isnan(values[:, i]), numbers, values[:, i])
            out.append(from_numbers(numbers, column.kind, column.unit))
        return out

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`.

        Raises:
          TypeError: a category cannot be written; names the column.
        """
        columns = [column.to_json() for column in self.columns]
        return {"columns": columns, "empty": list(self.empty),
                "identifiers": list(self.identifiers)}  # fmt: skip

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "TableCodec":
        """What `to_json` wrote."""
        columns = [Column.from_json(column) for column in fields["columns"]]
        return cls(columns=tuple(columns), empty=tuple(fields["empty"]),
                   identifiers=tuple(fields["identifiers"]))  # fmt: skip


def _is_identifier(observed: pd.Series, rows: int) -> bool:
    """Whether texts, no two equal, stand in enough of the `rows` to tell."""
    enough = max(MIN_IDENTIFIERS, min(rows / 2, SURE_IDENTIFIERS))
    if len(observed) < enough or not observed.astype(object).is_unique:
        return False
    return all(isinstance(v, str | bytes | UUID) for v in observed)
