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
    values = [numbers(frame.iloc[:, j]) for j in range(frame.shape[1])]
    out = []
    for i, name in enumerate(frame.columns):
        if not missing[:, i].any() or missing[:, i].all():
            continue
        found = []
        for j, other in enumerate(frame.columns):
            p = None if i == j else _pair(missing[:, i], frame.iloc[:, j], values[j])
            if p is not None:
                found.append((p, str(other)))
        best = min(found, default=(1.0, None))
        p = min(1.0, best[0] * max(len(found), 1))
        out.append(Dependence(column=str(name), other=best[1], p=p))
    return out


def _pair(
    missing: np.ndarray, other: pd.Series, values: np.ndarray | None
) -> float | None:
    """p-value of: the other column is distributed alike where this one is missing."""
    seen = other.notna().to_numpy()
    if min((seen & missing).sum(), (seen & ~missing).sum()) < FEWEST:
        return None
    if values is not None:
        tested: Any = stats.mannwhitneyu(
            values[seen & missing], values[seen & ~missing]
        )
        return float(tested.pvalue)
    labels = texts(other.loc[seen])
    if not 2 <= labels.nunique() <= 50:
        return None
    table = pd.crosstab(missing[seen], labels.to_numpy())
    tested = stats.chi2_contingency(table)
    return float(tested.pvalue)
