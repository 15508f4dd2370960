"""How far beyond the observed range a number may lie, by what else its row says."""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtr

from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.tail_shift import Ends
from ambient_jax.tabular.linear.factor_analysis import Coordinates, posterior, slots

FAR = 1e3
"""Standard deviations from which a normal tail is as thin as one that far out."""

MOST_FLAGS = 16
"""Categories with more tokens than this tell the linear model nothing."""

AT_ONCE = 20_000
"""Rows whose factors are held at once."""


@dataclass(frozen=True, kw_only=True)
class Tails:
    """What becomes of the lowest and the highest token of each cell.

    Attributes:
      ends: `[N, L, 2]` of their values.
      least: `[N, L, 2]` probability that they have at least.
    """

    ends: Ends
    least: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Reach:
    """A linear model of the values themselves, and how far each column trusts it.

    The value of an outermost token is the mean that was observed in it, and can
    never be more. Where the visible cells of a row, by a linear Gaussian model, expect
    `E[x | x beyond the token's inner edge]` further out, it moves outwards by `trust`
    times the difference, and its values spread as the linear model's do there, if that
    is more. The network has hardly seen such rows: where the linear model
    has more than half of its probability beyond the edge, the token gets `sure` times
    that at least.

    Attributes:
      weights, noise: `[D, R]` and `[D]` of the factor model of a row.
      centre, sd: `[D]` of its coordinates.
      slope: `[L, R + 1]` of each number on the factors' posterior mean and 1.
      spread: `[L]` variance of a number about it.
      trust, sure: `[L, 2]` in [0, 1] at the low and the high end; 0 for a category, and
        where the end is an atom.
    """

    weights: np.ndarray
    noise: np.ndarray
    centre: np.ndarray
    sd: np.ndarray
    slope: np.ndarray
    spread: np.ndarray
    trust: np.ndarray
    sure: np.ndarray

    def tails(self, codec: TableCodec, tokens: np.ndarray, values: np.ndarray) -> Tails:
        """Of N rows; depends on the cells that `tokens [N, L]` shows alone.

        What `values [N, L]` holds for the others is not looked at.
        """
        moves, stretch, least = np.zeros((3, *tokens.shape, 2))
        stretch += 1.0
        for begin in range(0, len(tokens), AT_ONCE):
            part = slice(begin, begin + AT_ONCE)
            mean, factors = self._factors(codec, tokens[part], values[part])
            for i, end in np.argwhere(self.trust > 0):
                told = self._tail(codec, i, end, mean, factors)
                moves[part, i, end], stretch[part, i, end], least[part, i, end] = told
        ends = Ends(moves=moves, stretch=stretch)
        for i in np.flatnonzero(self.trust.any(axis=1)).tolist():
            coder = codec.columns[i].coder
            assert isinstance(coder, NumberColumn)
            ends.keep(i, room(coder), coder.gaps)
        return Tails(ends=ends, least=least)

    def _factors(self, codec, tokens, values):
        where = slots(codec, MOST_FLAGS)
        coordinates = Coordinates(centre=self.centre, sd=self.sd, where=where)
        x = coordinates.of(codec, tokens, standard(codec, values))
        seen = np.isfinite(x)
        x = np.where(seen, x, 0.0)
        return posterior(x, seen.astype(float), self.weights, self.noise)

    def _tail(self, codec, i, end, mean, factors):
        """Moves, stretches and least probabilities `[N]` of one end of column `i`."""
        coder = codec.columns[i].coder
        at = slots(codec, MOST_FLAGS)[i].start
        mu, var = predicted(mean, factors, self.slope[i], self.spread[i])
        mu, var = mu * self.sd[at] + self.centre[at], var * self.sd[at] ** 2
        side, inner, usual = (
            (1, coder.low[-1], coder.mean[-1])
            if end else (-1, coder.high[0], coder.mean[0])
        )  # fmt: skip
        edge, usual = (side * (v - coder.centre) / coder.scale for v in (inner, usual))
        over, sd, share = beyond(edge, side * mu, var)
        over = np.maximum(over - usual, 0.0)
        # Finite first, where the product with a scale of 1e300 would not be.
        move = self.trust[i, end] * np.minimum(over, 1e6) * coder.scale
        least = np.where(share > 0.5, self.sure[i, end] * share, 0.0)
        own = coder.sd[-1 if end else 0] / coder.scale
        return move, sd / own if own > 0 else 1.0, least


def standard(codec: TableCodec, values: np.ndarray) -> np.ndarray:
    """`values [N, L]` less their column's centre, by its scale; 0 for categories."""
    out = np.zeros(values.shape)
    for i, column in enumerate(codec.columns):
        if isinstance(column.coder, NumberColumn):
            out[:, i] = (values[:, i] - column.coder.centre) / column.coder.scale
    return out


def predicted(
    mean: np.ndarray, factors: np.ndarray, slope: np.ndarray, spread: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance `[N]` of a number, from its row's posterior of the factors."""
    w = slope[:-1]
    return mean @ w + slope[-1], spread + np.einsum("nrs,r,s->n", factors, w, w)


def beyond(
    edge: float, mu: np.ndarray, var: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and sd of `x | x > edge`, and `P(x > edge)` `[N]` under `N(mu, var)`.

    The first is the edge plus the mean excess over it, `tau (h(a) - a)`, where `h` is
    the hazard of the standard normal and `a` the edge in standard units; the second
    is `tau sqrt(1 - h (h - a))`.
    """
    tau = np.sqrt(var)
    a = np.clip((edge - mu) / tau, -1e6, FAR)
    hazard = np.exp(-0.5 * a**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(-a))
    excess = np.maximum(hazard - a, 0.0)
    sd = tau * np.sqrt(np.maximum(1 - hazard * excess, 0.0))
    return edge + tau * excess, sd, ndtr(-a)


def room(coder: NumberColumn) -> np.ndarray:
    """`[2]` how far the ends may move: by one range, but never across zero."""
    low, high = coder.low[0], coder.high[-1]
    with np.errstate(over="ignore"):
        width = high - low
    below = min(width, low) if low >= 0 else width
    above = min(width, -high) if high <= 0 else width
    with np.errstate(over="ignore"):
        finite = np.isfinite([low - below, high + above])
    return np.where(finite, [below, above], 0.0)
