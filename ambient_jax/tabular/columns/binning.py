"""How a numeric column is cut into atoms and intervals."""

import numpy as np
from scipy.special import ndtri

KNOTS = 8
"""Pieces of the linear distribution inside an interval."""

SMOOTHING = 0.1
"""Share of a uniform in it."""

MAX_DECIMALS = 9

CELL_LEAST = 20.0
"""Fewest values per cell that columns with atoms are cut down to."""

TAIL_LEAST = 8
"""Fewest values of a part of the outermost intervals, which are cut more finely."""


def common_decimals(values: np.ndarray, precision: float = 0.0) -> int | None:
    """The fewest decimals that write every value exactly, or None.

    To 1e-12, or `precision` if that is more, of it, or of the median of all: one huge
    value must not let cents pass.
    """
    precision = max(1e-12, precision)
    size = np.abs(values)
    size = np.maximum(size, np.median(size[size > 0]) if size.any() else 0.0)
    for decimals in range(MAX_DECIMALS + 1):
        if (np.abs(np.round(values, decimals) - values) <= precision * size).all():
            return decimals
    return None


def cut(
    values: np.ndarray, max_bins: int, step: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells of sorted `values [n]`: ends `low`, `high` `[K]`, and each value's cell.

    Atoms come first to mind, then the runs between them, each cut at quantiles into as
    many intervals as its mass deserves. An interval ends halfway between the values
    on its two sides; where an atom bounds it, half a `step` (of the values' decimals)
    from the atom, or where its own values begin.
    """
    distinct, start, counts = np.unique(values, return_index=True, return_counts=True)
    is_atom, mass = _atoms(counts, max_bins)
    lows: list[float] = []
    highs: list[float] = []
    where = np.empty(len(values), int)
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
            ends = (i == 0, j == len(distinct))
            own = values[first:last]
            groups = _quantile_groups(own, mass, ends)
            below = None if i == 0 else min(float(distinct[i - 1]) + step / 2, own[0])
            above = None
            if j < len(distinct):
                above = max(float(distinct[j]) - step / 2, own[-1])
            edges = _edges(own, groups, below, above)
        where[first:last] = len(lows) + groups
        lows += edges[:-1].tolist()
        highs += edges[1:].tolist()
        i = j
    return np.array(lows), np.array(highs), where


def _atoms(counts: np.ndarray, max_bins: int) -> tuple[np.ndarray, float]:
    """`[D]` bool: distinct values that are tokens of their own; the mass of the others.

    All of them where there are no more than `max_bins`, else those with more than the
    others would have in a cell. Without them less is left, so that what is frequent
    among the few values that are not 0 becomes an atom too, and the rest has its bins.
    """
    is_atom = np.full(len(counts), len(counts) <= max_bins)
    mass = counts.sum() / max_bins
    least = min(mass, CELL_LEAST)
    while True:
        more = is_atom | (counts > mass)
        if more.sum() == is_atom.sum():
            return is_atom, mass
        is_atom = more
        left = max(1, max_bins - int(is_atom.sum()))
        mass = max(counts[~is_atom].sum() / left, least)


def _quantile_groups(
    values: np.ndarray, mass: float, ends: tuple[bool, bool]
) -> np.ndarray:
    """Group numbers of sorted values: about `mass` in each, equal ones together.

    At the `ends` of the column the outermost group is halved again and again: a mean
    over the whole tail would be far from most of what may be missing there.
    """
    n = len(values)
    pieces = max(1, round(n / mass))
    wanted = np.arange(n) * pieces // n
    tail = min(mass, n / pieces) / 2
    while tail >= TAIL_LEAST:
        wanted += ends[0] * (np.arange(n) >= tail)
        wanted += ends[1] * (np.arange(n) >= n - tail)
        tail /= 2
    first = np.searchsorted(values, values, side="left")
    return np.unique(wanted[first], return_inverse=True)[1]


def _edges(
    values: np.ndarray, groups: np.ndarray, below: float | None, above: float | None
) -> np.ndarray:
    """Ends of the groups; the outer two at the atoms `below` and `above`, if any."""
    change = np.flatnonzero(np.diff(groups))
    inner = values[change] + (values[change + 1] - values[change]) / 2
    low = _outer(values, -1) if below is None else below
    high = _outer(values, +1) if above is None else above
    return np.concatenate([[low], inner, [high]])


def _outer(values: np.ndarray, side: int) -> float:
    """A finite end of the range: half a typical step out, but not across zero.

    An extreme that is exactly zero stays: most such columns cannot be on its other
    side (counts, prices, shares).
    """
    end = values[0] if side < 0 else values[-1]
    if end == 0:
        return 0.0
    steps = np.diff(np.unique(values))
    tail = steps[:5] if side < 0 else steps[-5:]
    step = float(np.median(tail)) if len(tail) else max(abs(end), 1e-300) * 1e-6
    moved = end + side * step / 2
    return 0.0 if moved * end < 0 else moved


def knots_inside(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """`[KNOTS + 1]` smoothed quantiles of the sorted values of one cell."""
    levels = np.linspace(0.0, 1.0, KNOTS + 1)
    if low == high:
        return np.full(KNOTS + 1, low)
    ranks = (np.arange(len(values)) + 0.5) / len(values)
    empirical = np.interp(levels, np.r_[0.0, ranks, 1.0], np.r_[low, values, high])
    uniform = low + levels * (high - low)
    knots = (1 - SMOOTHING) * empirical + SMOOTHING * uniform
    knots[0], knots[-1] = low, high
    return knots


def cell_moments(
    values: np.ndarray, where: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and share `[K]` of the values of each cell."""
    count = np.bincount(where, minlength=size).astype(np.float64)
    mean = np.bincount(where, values, size) / count
    spread = np.bincount(where, (values - mean[where]) ** 2, size) / count
    return mean, np.sqrt(spread), count / len(values)


def score_grid(values: np.ndarray, points: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values and their normal scores (mid-ranks), thinned to `points`."""
    distinct, counts = np.unique(values, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / len(values)
    keep = np.arange(len(distinct))
    if len(distinct) > points:
        wanted = np.linspace(ranks[0], ranks[-1], points)
        keep = np.unique(np.searchsorted(ranks, wanted).clip(0, len(distinct) - 1))
    return distinct[keep], ndtri(ranks[keep])
