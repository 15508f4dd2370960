"""A categorical column as tokens: one for each value that fitting has seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ambient_jax.tabular.frames import json_cells


def _sorted(values: Sequence[Any]) -> list[Any]:
    """Sorts values; by type and text if they cannot be compared."""
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda v: (type(v).__name__, str(v)))


@dataclass(frozen=True, kw_only=True)
class CategoryColumn:
    """The vocabulary of a categorical column: K values, each of which is a token.

    Values that are equal in Python are one category, represented by the one met first.
    In a column of objects with 1, 1.0 and True, all three are one category, and it is
    drawn for each of them.

    Attributes:
      values: the K values, as they stood in the column.
      share: `[K]` of the observed cells with each value; sums to 1.
      count: number of observed cells it was fitted on.
    """

    values: tuple[Any, ...]
    share: np.ndarray
    count: int

    @classmethod
    def fit(cls, cells: np.ndarray, max_categories: int) -> "CategoryColumn":
        """Takes the `max_categories` most frequent values of the observed cells.

        Rarer values are treated like values never seen: they stay where they are
        observed and are never drawn.

        Args:
          cells: `[n]` objects.

        Raises:
          TypeError: a cell is not hashable.
        """
        counts = pd.Series(cells, dtype=object).value_counts()
        values = _sorted(counts.index[:max_categories].tolist())
        share = counts.reindex(values).to_numpy(np.float64)
        return cls(values=tuple(values), share=share / share.sum(), count=len(cells))

    @property
    def size(self) -> int:
        """Number of tokens K."""
        return len(self.values)

    @cached_property
    def _index(self) -> pd.Index:
        return pd.Index(list(self.values), dtype=object)

    def encode(self, cells: np.ndarray) -> np.ndarray:
        """Tokens `[n]` of objects; -1 for a value that is not in the vocabulary."""
        return self._index.get_indexer(pd.Index(cells, dtype=object))

    def decode(self, tokens: np.ndarray) -> np.ndarray:
        """Objects `[n]` of tokens `[n]`."""
        out = np.empty(self.size, object)
        out[:] = self.values
        return out[tokens]

    def to_json(self) -> dict[str, Any]:
        """Fields that JSON can hold, for `from_json`.

        Raises:
          TypeError: a value is of a type that `json_cells` cannot write.
        """
        values = [json_cells.to_json(value) for value in self.values]
        return {"kind": "category", "values": values, "share": self.share.tolist(),
                "count": self.count}  # fmt: skip

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "CategoryColumn":
        """The inverse of `to_json`."""
        share = np.asarray(fields["share"], np.float64)
        values = tuple(json_cells.from_json(value) for value in fields["values"])
        return cls(values=values, share=share, count=fields["count"])
