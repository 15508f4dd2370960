"""Chooses the point estimate that suits each numeric column: codes are not averaged."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ambient_jax.tabular.columns.number import NumberColumn

Estimate = Literal["mean", "nearest", "median", "mode"]
"""A point estimate of a number.

The values are the mean, rounded to the decimals of the column; the observed value that
is nearest to the mean; the median; and the most probable observed value."""

MAX_CODES = 20
"""A column with more different values than this is not taken for codes."""

CELLS_PER_CODE = 10
"""A column of few values has at least this many observed cells per value. Values that
occur less often are not compared with their neighbours."""

MIN_FREQUENT_CODES = 0.5
"""At least this share of the codes of a column occur `CELLS_PER_CODE` times or more.
Amounts that are mostly 0 have few values in a small table, but nearly all are rare."""

SPIKE_SHARE = 0.5
"""A value that at least this share of the observed cells have is a spike."""

MAX_NEIGHBOUR_RATIO = 0.75
"""Above this `neighbour_ratio` the order of the values means nothing. Quantities are
below: three values that rise have 0.75 at most, five evenly spaced ones 0.2."""

NOISE = 4.0
"""Standard deviations of noise that the difference of values is shrunk by."""

PRIOR_RATIOS = {True: 0.5, False: 1.0}
"""The neighbour ratio towards which noise is shrunk, by whether the shares of the
values have one peak, as those of a quantity have."""

CATEGORIES_PER_COLUMN = 5
"""Number of categories of another column that values are compared by."""


def choose_estimate(
    coder: NumberColumn, tokens: np.ndarray, features: np.ndarray
) -> Estimate:
    """Chooses the point estimate of a numeric column.

    - `mode` for codes: at most `MAX_CODES` whole numbers whose order means nothing,
      because neighbours resemble each other no more than other values do (see
      `neighbour_ratio`). Two whole numbers are always codes.
    - `median` where one value is a spike.
    - `nearest` where there are at most `MAX_CODES` values.
    - `mean` for the others.

    Args:
      coder: the vocabulary of the column.
      tokens: `[n]` of some of its rows; those that are no token are not observed.
      features: `[n, F]` other columns of these rows, see `features_of`.
    """
    few = (
        coder.size <= MAX_CODES and bool(coder.atom.all())
        and coder.count >= CELLS_PER_CODE * coder.size
    )  # fmt: skip
    frequent = coder.share * coder.count >= CELLS_PER_CODE
    if few and coder.decimals == 0 and frequent.mean() >= MIN_FREQUENT_CODES:
        ratio = neighbour_ratio(tokens, coder.share, features)
        if coder.size == 2 or ratio > MAX_NEIGHBOUR_RATIO:
            return "mode"
    if (coder.share[coder.atom] >= SPIKE_SHARE).any():
        return "median"
    return "nearest" if few else "mean"


def neighbour_ratio(
    tokens: np.ndarray, share: np.ndarray, features: np.ndarray
) -> float:
    """How different neighbouring values are, relative to any two values.

    Two values differ by the squared distance of the means of `features` in the rows of
    each, in units of the variance inside them and less what noise adds to it. The
    result is the mean difference of neighbours over that of all pairs, each pair
    weighted by its number of rows: far below 1 where the order of the values means
    something, about 1 where it does not. Up to a factor it is von Neumann's ratio.
    Where the features tell nothing, it is close to one of `PRIOR_RATIOS`.

    Args:
      tokens: `[n]`, the rank of each row's value; others than 0..K-1 are not observed.
      share: `[K]` of the observed cells with each value.
      features: `[n, F]`, NaN where missing.
    """
    size, num_features = len(share), features.shape[1]
    prior = PRIOR_RATIOS[_has_one_peak(share)]
    shown = [k for k in range(size) if (tokens == k).sum() >= CELLS_PER_CODE]
    if len(shown) < 2 or not num_features:
        return prior
    counts, means = _means_by_value(tokens, shown, features)
    upper, lower = np.triu_indices(len(shown), 1)
    weight = 1 / (1 / counts[upper] + 1 / counts[lower])
    excess = weight * (means[upper] - means[lower]) ** 2 - (weight > 0)
    near = lower - upper == 1
    if not weight[near].any():
        return prior
    neighbours = max(0.0, excess[near].sum() / weight[near].sum())
    pairs = max(0.0, excess.sum() / weight.sum())
    # The standard deviation of `excess.sum()` where no value differs from another.
    deviation = len(shown) / 2 * np.sqrt(2 * (len(shown) - 1) * num_features)
    noise = NOISE * deviation / weight.sum()
    return float((neighbours + prior * noise) / (pairs + noise))


def _means_by_value(
    tokens: np.ndarray, shown: Sequence[int], features: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Counts and standardized means `[K, F]` of features in the rows of each value.

    The unit is the standard deviation of a feature inside the values. Counts are at
    least 1e-9, so that they can be divided by.
    """
    belongs = (tokens[:, None] == np.asarray(shown)).astype(np.float64)
    observed = np.isfinite(features)
    known = np.where(observed, features, 0.0)
    counts = np.maximum(belongs.T @ observed, 1e-9)
    means = belongs.T @ known / counts
    squares = (belongs.T @ known**2 - counts * means**2).sum(axis=0)
    spread = np.sqrt(np.maximum(squares, 0.0) / np.maximum(counts.sum(axis=0), 1.0))
    return counts, means / np.where(spread > 1e-9, spread, np.inf)


def _has_one_peak(share: np.ndarray) -> bool:
    """Whether the shares rise to one maximum and fall from there."""
    signs = np.sign(np.diff(share))
    signs = signs[signs != 0]
    return not (np.diff(signs) > 0).any()


def features_of(
    tokens: np.ndarray, scores: np.ndarray, shares: Sequence[np.ndarray | None]
) -> list[np.ndarray]:
    """What the columns of a table tell of a row, for each column `[n, F]`.

    A numeric column gives its normal score, a category one indicator for each of its
    most frequent values. NaN marks missing cells.

    Args:
      tokens: `[n, L]`.
      scores: `[n, L]` normal scores, NaN where missing.
      shares: for each column the shares of its categories; None for numbers.
    """
    found = []
    for i, share in enumerate(shares):
        if share is None:
            found.append(scores[:, i : i + 1])
            continue
        common = np.argsort(-share, kind="stable")[:CATEGORIES_PER_COLUMN]
        indicators = (tokens[:, i : i + 1] == common).astype(np.float64)
        indicators[tokens[:, i] >= len(share)] = np.nan
        found.append(indicators)
    return found
