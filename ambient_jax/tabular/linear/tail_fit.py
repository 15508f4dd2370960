"""Fits `Reach`: a linear model of the values, and a trust for each end of a column."""

import numpy as np

from ambient_jax.tabular.columns.codec import Encoded, TableCodec
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.linear.factor_analysis import (
    RANK,
    Coordinates,
    factor_em,
    posterior,
)
from ambient_jax.tabular.linear.tail_extrapolation import (
    MOST_FLAGS,
    Reach,
    beyond,
    predicted,
    standard,
)

MOST_ROWS = 10_000
MOST_CELLS = 1_000_000
"""Most rows, and coordinates of them, that it is fitted on."""

HIDDEN = (0.03, 0.1, 0.3)
LEAST_HIDDEN = 20
"""Shares and least number of a column's outermost cells that the trust is judged on:
the first, or the first that differ by more than the model's noise."""

ENOUGH = 5 * LEAST_HIDDEN
"""A column with fewer observed cells than this has no reach."""

ERRORS = 2.0
"""Standard errors that trust and frequency stay below their estimates."""

LEAST_TOLD = 5
"""Fewest of them that are expected beyond their mean."""

LEAST_SPREAD = 1e-4


def fit_reach(codec: TableCodec, encoded: Encoded, rows: np.ndarray) -> Reach | None:
    """The reach of the numbers' outermost tokens; None where no column has any.

    Args:
      rows: `[N]` bool: those that it may look at.
    """
    chosen, typical = _choose(codec, encoded, np.flatnonzero(rows))
    tokens, values = encoded.tokens[chosen], encoded.values[chosen]
    ends = np.array([_open_ends(column.coder) for column in codec.columns])
    ends &= (np.isfinite(values).sum(axis=0) >= ENOUGH)[:, None]
    found, x = Coordinates.fit(codec, tokens, standard(codec, values), MOST_FLAGS)
    if x.shape[1] < 2 or not ends.any():
        return None
    rank = min(RANK, x.shape[1] - 1, int(typical.sum()))
    weights, noise = factor_em(x[typical], rank)
    seen = np.isfinite(x)
    x = np.where(seen, x, 0.0)
    mean, factors = posterior(x, seen.astype(float), weights, noise)
    made = Reach(
        weights=weights, noise=noise, centre=found.centre, sd=found.sd,
        slope=np.zeros((codec.length, rank + 1)), spread=np.ones(codec.length),
        trust=np.zeros(ends.shape), sure=np.zeros(ends.shape),
    )  # fmt: skip
    for i in np.flatnonzero(ends.any(axis=1)):
        at = found.where[i].start
        known = seen[:, at]
        y, common = x[known, at], typical[known]
        others = _without(mean[known], factors[known], y, weights[at], noise[at])
        for end in np.flatnonzero(ends[i]):
            judged = _judge(*others, y if end else -y, common)
            made.trust[i, end], made.sure[i, end] = judged
        made.slope[i], made.spread[i] = _regress(*others, y, common)
    return made if made.trust.any() else None


def _open_ends(coder: object) -> tuple[bool, bool]:
    """Whether the lowest and the highest token are intervals of a number."""
    if not isinstance(coder, NumberColumn):
        return False, False
    return not coder.atom[0], not coder.atom[-1]


def _choose(
    codec: TableCodec, encoded: Encoded, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers, and whether each was drawn by chance or is there for an extreme."""
    wide = sum(c.coder.size if not c.numeric else 1 for c in codec.columns)
    most = max(ENOUGH, min(MOST_ROWS, MOST_CELLS // max(1, wide)))
    if len(rows) <= most:
        return rows, np.ones(len(rows), bool)
    drawn = np.random.default_rng(0).permutation(rows)[:most]
    each = max(1, most // (4 * codec.length))
    extreme = []
    for column in encoded.values[rows].T:
        order = np.argsort(column)[: np.isfinite(column).sum()]  # NaN comes last
        extreme += [rows[order[:each]], rows[order[-each:]]] if len(order) else []
    chosen = np.union1d(drawn, np.concatenate([drawn[:0], *extreme]))
    return chosen, np.isin(chosen, drawn)


def _without(mean, factors, y, w, noise):
    """The posterior of the factors `[n, R]`, `[n, R, R]` had `y [n]` not been seen."""
    pull = factors @ w
    left = noise - pull @ w
    told = (y - mean @ w) / left
    mean = mean - pull * told[:, None]
    return mean, factors + pull[:, :, None] * pull[:, None, :] / left[:, None, None]


def _regress(mean, factors, y, common):
    """Slope `[R + 1]` and spread of `y [n]` on the factors' mean, in `common` rows."""
    a = np.c_[mean, np.ones(len(y))][common]
    y = y[common]
    slope = np.linalg.solve(a.T @ a + np.eye(a.shape[1]), a.T @ y)
    told = np.einsum("nrs,r,s->n", factors[common], slope[:-1], slope[:-1]).mean()
    return slope, max(((y - a @ slope) ** 2).mean() - told, LEAST_SPREAD)


def _judge(mean, factors, y, common):
    """`trust` and `sure` of the high end of `y [n]`, see `Reach`.

    The highest cells are hidden from it as if they were one token. By least squares,
    the trust tells their distances from the mean of all of them by the overshoots that
    are expected. `sure` is how often a cell is among them that the model expects there.
    """
    order = np.argsort(y, kind="stable")
    noise = predicted(mean, factors, *_regress(mean, factors, y, common))[1].mean()
    counts = [max(LEAST_HIDDEN, int(share * len(y))) for share in HIDDEN]
    wide = [count for count in counts if y[order[-count:]].var() > noise]
    count = [*wide, counts[0]][0]
    kept, out = order[:-count], order[-count:]
    slope, spread = _regress(mean[kept], factors[kept], y[kept], common[kept])
    usual, edge = y[out].mean(), (y[out[0]] + y[kept[-1]]) / 2
    far, _, share = beyond(edge, *predicted(mean, factors, slope, spread))
    over = np.clip(far[out] - usual, 0.0, y[kept[-1]] - y[order[0]])
    return _shrunk(over, y[out] - usual), _frequency(y[share > 0.5] > edge)


def _frequency(hits: np.ndarray) -> float:
    """The lower end of Wilson's interval for the share of `hits [n]`, 0 for none."""
    n, z = max(len(hits), 1), ERRORS
    p = hits.sum() / n
    wide = z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    return float(max(0.0, (p + z**2 / (2 * n) - wide) / (1 + z**2 / n)))


def _shrunk(over: np.ndarray, true: np.ndarray) -> float:
    """The slope of `true [n]` on `over [n]` through zero, less two standard errors.

    And without the cell that helps it most: one is no proof.
    """
    if (over > 0).sum() < LEAST_TOLD:
        return 0.0
    both, square = over * true, over**2
    slope = both.sum() / square.sum()
    error = np.sqrt((square * (true - slope * over) ** 2).sum()) / square.sum()
    lowest = ((both.sum() - both) / (square.sum() - square)).min()
    return float(np.clip(min(lowest, slope) - ERRORS * error, 0.0, 1.0))
