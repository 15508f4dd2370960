"""Tests whether the missingness of a column depends on the other columns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ambient_jax.report.numeric import numbers, texts

SIGNIFICANCE_LEVEL = 0.01
"""Level of all tests of one column together, after Bonferroni's correction: strict,
since a table has many columns and each is one chance of a false alarm."""

MIN_CELLS = 8
"""A pair is tested if both groups (this column missing, this column observed) hold so
many observed cells of the other one; the tests' large-sample p-values need some."""

MIN_CATEGORIES = 2
"""A column with fewer categories cannot depend on anything."""

MAX_CATEGORIES = 50
"""Columns with more categories, such as names, have too few cells in each to test."""


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """Whether the missingness of one column depends on another.

    Attributes:
      column: a column with missing cells.
      other: the column for which the p-value is smallest; None if none can be tested.
      p: the p-value with `other`, times the number of tests (at most 1).
    """

    column: str
    other: str | None
    p: float

    @property
    def depends(self) -> bool:
        """Whether missing completely at random is rejected."""
        return self.p < SIGNIFICANCE_LEVEL


def dependences(frame: pd.DataFrame) -> list[Dependence]:
    """Tests every column that has both missing and observed cells against all others.

    Numbers and dates are compared by the test of Mann and Whitney, categories by a
    chi-squared test.
    """
    missing = frame.isna().to_numpy()
    cells = [_test_values(frame.iloc[:, j]) for j in range(frame.shape[1])]
    out = []
    for i, name in enumerate(frame.columns):
        if not missing[:, i].any() or missing[:, i].all():
            continue
        tested = []
        for j, other in enumerate(frame.columns):
            p = None if i == j else _p_value(missing[:, i], ~missing[:, j], cells[j])
            if p is not None:
                tested.append((p, str(other)))
        smallest, clearest = min(tested, default=(1.0, None))
        p = min(1.0, smallest * max(len(tested), 1))
        out.append(Dependence(column=str(name), other=clearest, p=p))
    return out


def _test_values(column: pd.Series) -> np.ndarray | None:
    """Returns `[n]` numbers, or labels of categories; None if neither can be tested."""
    values = numbers(column)
    if values is not None:
        return values
    labels = texts(column)
    categories = labels.loc[column.notna().to_numpy()].nunique()
    usable = MIN_CATEGORIES <= categories <= MAX_CATEGORIES
    return labels.to_numpy() if usable else None


def _p_value(
    missing: np.ndarray, observed: np.ndarray, other: np.ndarray | None
) -> float | None:
    """Tests that the other column has one distribution, whether this one is missing.

    Args:
      missing: `[n]` bool, rows in which this column is missing.
      observed: `[n]` bool, rows in which the other column is observed.
      other: its values, see `_test_values`.

    Returns:
      The p-value; None if the cells are too few or cannot be tested.
    """
    with_missing, with_observed = observed & missing, observed & ~missing
    if other is None or min(with_missing.sum(), with_observed.sum()) < MIN_CELLS:
        return None
    if other.dtype == object:
        table = pd.crosstab(missing[observed], other[observed])
        result: Any = stats.chi2_contingency(table)
    else:
        result = stats.mannwhitneyu(other[with_missing], other[with_observed])
    return float(result.pvalue)
