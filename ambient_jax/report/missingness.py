"""Does a column's missingness depend on the others? A plain test per pair."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ambient_jax.report.numeric import numbers, texts

LEVEL = 0.01
"""Of the family of tests of one column, after Bonferroni."""

FEWEST = 8
"""Cells on either side below which a pair is not tested."""

FEWEST_KINDS, MOST_KINDS = 2, 50
"""Categories that a column on which missingness may depend has."""


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """One column's missingness against the others.

    Attributes:
      column: the column with holes.
      other: the column on which its missingness depends most clearly; None if none
        could be tested.
      p: of that pair, times the number of tests (at most 1).
    """

    column: str
    other: str | None
    p: float

    @property
    def depends(self) -> bool:
        """Whether missing completely at random is rejected."""
        return self.p < LEVEL


def dependences(frame: pd.DataFrame) -> list[Dependence]:
    """One entry per column that has holes."""
    missing = frame.isna().to_numpy()
    cells = [_testable(frame.iloc[:, j]) for j in range(frame.shape[1])]
    out = []
    for i, name in enumerate(frame.columns):
        if not missing[:, i].any() or missing[:, i].all():
            continue
        found = []
        for j, other in enumerate(frame.columns):
            p = None if i == j else _pair(missing[:, i], ~missing[:, j], cells[j])
            if p is not None:
                found.append((p, str(other)))
        best = min(found, default=(1.0, None))
        p = min(1.0, best[0] * max(len(found), 1))
        out.append(Dependence(column=str(name), other=best[1], p=p))
    return out


def _testable(column: pd.Series) -> np.ndarray | None:
    """`[n]` numbers, or texts of a few kinds; None of what no test here can use."""
    found = numbers(column)
    if found is not None:
        return found
    labels = texts(column)
    kinds = labels.loc[column.notna().to_numpy()].nunique()
    return labels.to_numpy() if FEWEST_KINDS <= kinds <= MOST_KINDS else None


def _pair(
    missing: np.ndarray, seen: np.ndarray, other: np.ndarray | None
) -> float | None:
    """p-value of: the other column is distributed alike where this one is missing."""
    there, elsewhere = seen & missing, seen & ~missing
    if other is None or min(there.sum(), elsewhere.sum()) < FEWEST:
        return None
    if other.dtype == object:
        table = pd.crosstab(missing[seen], other[seen])
        tested: Any = stats.chi2_contingency(table)
    else:
        tested = stats.mannwhitneyu(other[there], other[elsewhere])
    return float(tested.pvalue)
