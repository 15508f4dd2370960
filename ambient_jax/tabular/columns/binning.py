"""Cuts the observed values of a numeric column into bins.

A bin is an *atom*, which holds one value, or an *interval*. Every bin is a token.
"""

import numpy as np
from scipy.special import ndtri

from ambient_jax.tabular.columns.magnitude import root_mean_squares, round_decimals

PIECES = 8
"""Linear pieces of the distribution function inside an interval."""

SMOOTHING = 0.1
"""Weight of a uniform distribution that is mixed into it. The density is then positive
in the whole interval, also between values that lie far apart."""

MAX_DECIMALS = 9
"""Columns whose values need more decimals count as not rounded. At values of a million
a double holds no more."""

MIN_BIN_VALUES = 20.0
"""Where a column has atoms, each of its other bins holds about this many values or
more: the few that are left are not cut into `max_bins` parts."""

MIN_TAIL_VALUES = 8
"""The outermost intervals are halved as long as the outer half holds this many
values or more."""


def common_decimals(values: np.ndarray, precision: float = 0.0) -> int | None:
    """The smallest number of decimals that writes every value exactly, or None.

    A value counts as exact if it is right to a share 1e-12 (or `precision`, if that is
    more) of itself, or of the median if that is larger. It is the median, not the
    maximum, because one huge value must not make cents negligible.
    """
    precision = max(1e-12, precision)
    size = np.abs(values)
    size = np.maximum(size, np.median(size[size > 0]) if size.any() else 0.0)
    for decimals in range(MAX_DECIMALS + 1):
        error = np.abs(round_decimals(values, decimals) - values)
        if (error <= precision * size).all():
            return decimals
    return None


def cut_bins(
    values: np.ndarray, max_bins: int, step: float,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Cuts sorted values into about `max_bins` bins.

    The atoms are chosen first. The runs of values between them are then cut at
    quantiles into as many intervals as their share deserves. Two neighbouring intervals
    meet halfway between their values. Beside an atom an interval ends half a `step`
    from it, or where its own values begin if they are nearer.

    Args:
      values: `[n]` sorted.
      max_bins: the wanted number.
      step: distance of two neighbouring values with the column's decimals, or 0.
      limits: the smallest and the largest bound that a bin may have.

    Returns:
      `(low [K], high [K], bins [n])`: the bounds of the K bins, equal for an atom, and
      the bin of each value.
    """
    distinct, start, counts = np.unique(values, return_index=True, return_counts=True)
    is_atom, mass = _atoms(counts, max_bins)
    lows: list[float] = []
    highs: list[float] = []
    bins = np.empty(len(values), int)
    i = 0
    while i < len(distinct):
        j = i + 1
        if not is_atom[i]:
            while j < len(distinct) and not is_atom[j]:
                j += 1
        first, last = start[i], start[j - 1] + counts[j - 1]
        if is_atom[i]:
            edges = np.array([distinct[i], distinct[i]])
            groups = np.zeros(last - first, int)
        else:
            run = values[first:last]
            groups = _quantile_groups(run, mass, i == 0, j == len(distinct))
            below = None if i == 0 else min(float(distinct[i - 1]) + step / 2, run[0])
            above = None
            if j < len(distinct):
                above = max(float(distinct[j]) - step / 2, run[-1])
            edges = _edges(run, groups, below, above)
        bins[first:last] = len(lows) + groups
        lows += edges[:-1].tolist()
        highs += edges[1:].tolist()
        i = j
    return np.clip(lows, *limits), np.clip(highs, *limits), bins


def _atoms(counts: np.ndarray, max_bins: int) -> tuple[np.ndarray, float]:
    """Which distinct values become atoms.

    All do if there are no more than `max_bins`. Otherwise a value does if it occurs
    more often than the other values would in an average bin. This is repeated, because
    without the atoms the average is smaller: where most values are 0, frequent ones
    among the rest become atoms too.

    Returns:
      `[D]` bool, and the number of values that each of the other bins is to hold.
    """
    is_atom = np.full(len(counts), len(counts) <= max_bins)
    mass = counts.sum() / max_bins
    minimum = min(mass, MIN_BIN_VALUES)
    while True:
        more = is_atom | (counts > mass)
        if more.sum() == is_atom.sum():
            return is_atom, mass
        is_atom = more
        remaining = max(1, max_bins - int(is_atom.sum()))
        mass = max(counts[~is_atom].sum() / remaining, minimum)


def _quantile_groups(
    values: np.ndarray, mass: float, is_first: bool, is_last: bool
) -> np.ndarray:
    """Groups `[n]`, from 0 on, of sorted values: about `mass` equal neighbours each.

    Equal values are always in one group. Where the values are the column's first or
    last, the outermost group is halved again and again: the mean of a whole tail would
    be far from most of what may be missing there.
    """
    n = len(values)
    pieces = max(1, round(n / mass))
    wanted = np.arange(n) * pieces // n
    tail = min(mass, n / pieces) / 2
    while tail >= MIN_TAIL_VALUES:
        wanted += is_first * (np.arange(n) >= tail)
        wanted += is_last * (np.arange(n) >= n - tail)
        tail /= 2
    first = np.searchsorted(values, values, side="left")
    return np.unique(wanted[first], return_inverse=True)[1]


def _edges(
    values: np.ndarray, groups: np.ndarray, below: float | None, above: float | None
) -> np.ndarray:
    """Bounds of the groups of sorted values, one more than there are groups.

    The outer two are `below` and `above`, where the run has a neighbour on that side.
    """
    change = np.flatnonzero(np.diff(groups))
    inner = values[change] + (values[change + 1] - values[change]) / 2
    low = _outer_edge(values, -1) if below is None else below
    high = _outer_edge(values, +1) if above is None else above
    return np.concatenate([[low], inner, [high]])


def _outer_edge(values: np.ndarray, side: int) -> float:
    """The column's bound on a `side` (-1 or 1): half a typical step beyond its extreme.

    It does not cross zero, and an extreme that is zero stays: most such columns cannot
    lie on the other side (counts, prices, shares).
    """
    extreme = values[0] if side < 0 else values[-1]
    if extreme == 0:
        return 0.0
    steps = np.diff(np.unique(values))
    tail = steps[:5] if side < 0 else steps[-5:]
    step = float(np.median(tail)) if len(tail) else max(abs(extreme), 1e-300) * 1e-6
    moved = extreme + side * step / 2
    return 0.0 if np.sign(moved) * np.sign(extreme) < 0 else moved


def knots_inside(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Smoothed quantiles 0, 1/M, ... 1 `[M + 1]` of one bin, M = `PIECES`.

    Args:
      values: the sorted values of the bin.
      low, high: its bounds, which are the first and the last knot.
    """
    levels = np.linspace(0.0, 1.0, PIECES + 1)
    if low == high:
        return np.full(PIECES + 1, low)
    ranks = (np.arange(len(values)) + 0.5) / len(values)
    empirical = np.interp(levels, np.r_[0.0, ranks, 1.0], np.r_[low, values, high])
    uniform = low + levels * (high - low)
    knots = (1 - SMOOTHING) * empirical + SMOOTHING * uniform
    knots[0], knots[-1] = low, high
    return knots


def bin_moments(
    values: np.ndarray, bins: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and share `[K]` of the values in each of K bins."""
    count = np.bincount(bins, minlength=size).astype(np.float64)
    mean = np.bincount(bins, values, size) / count
    sd = root_mean_squares(values - mean[bins], bins, size)
    return mean, sd, count / len(values)


def normal_scores(
    values: np.ndarray, max_points: int = 256
) -> tuple[np.ndarray, np.ndarray]:
    """Points `(values, scores)` of the map from values to normal scores.

    A score is the standard normal quantile of a value's mid-rank, as a share of n.
    There is a point for each distinct value, or `max_points` evenly spaced ones.
    """
    distinct, counts = np.unique(values, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / len(values)
    chosen = np.arange(len(distinct))
    if len(distinct) > max_points:
        wanted = np.linspace(ranks[0], ranks[-1], max_points)
        chosen = np.unique(np.searchsorted(ranks, wanted).clip(0, len(distinct) - 1))
    return distinct[chosen], ndtri(ranks[chosen])
