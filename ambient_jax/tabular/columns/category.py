"""A categorical column as tokens: its values, sorted, and nothing that is not one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ambient_jax.tabular.frames import json_cells


def in_order(values: Sequence[Any]) -> list[Any]:
    """Sorted; by type and text where they do not compare."""
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda v: (type(v).__name__, str(v)))


@dataclass(frozen=True, kw_only=True)
class CategoryColumn:
    """K values of a column.

    Values that Python holds equal are one category, the one met first: in a column of
    objects that mixes 1, 1.0 and True, all three count as one and it is drawn for all.

    Attributes:
      values: the K values, as they stood in the column.
      share: `[K]` of the observed cells that were one of them.
      count: observed cells it was fitted on.
    """

    values: tuple[Any, ...]
    share: np.ndarray
    count: int

    @classmethod
    def fit(cls, cells: np.ndarray, max_categories: int) -> "CategoryColumn":
        """Fits on observed cells (objects `[n]`): the `max_categories` most frequent.

        Rarer ones are treated as values never seen: kept where they stand, never drawn.
        """
        counts = pd.Series(cells, dtype=object).value_counts()
        kept = in_order(counts.index[:max_categories].tolist())
        share = counts.reindex(kept).to_numpy(np.float64)
        return cls(values=tuple(kept), share=share / share.sum(), count=len(cells))

    @property
    def size(self) -> int:
        """Number of tokens K."""
        return len(self.values)

    @cached_property
    def _index(self) -> pd.Index:
        return pd.Index(list(self.values), dtype=object)

    def encode(self, cells: np.ndarray) -> np.ndarray:
        """Tokens `[n]` of objects; -1 for a value that fitting has not seen."""
        return self._index.get_indexer(pd.Index(cells, dtype=object))

    def decode(self, tokens: np.ndarray) -> np.ndarray:
        """Objects `[n]`."""
        out = np.empty(self.size, object)
        out[:] = self.values
        return out[tokens]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`.

        Raises:
          TypeError: a value is of a type that `json_cells` does not know.
        """
        values = [json_cells.to_json(value) for value in self.values]
        return {"kind": "category", "values": values, "share": self.share.tolist(),
                "count": self.count}  # fmt: skip

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "CategoryColumn":
        """What `to_json` wrote."""
        share = np.asarray(fields["share"], np.float64)
        values = tuple(json_cells.from_json(value) for value in fields["values"])
        return cls(values=values, share=share, count=fields["count"])
