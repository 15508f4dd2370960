"""A numeric column as tokens: atoms, quantile bins, and a density inside each bin."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ambient_jax.tabular.columns.binning import (
    KNOTS,
    cell_moments,
    common_decimals,
    cut,
    knots_inside,
    score_grid,
)
from ambient_jax.tabular.columns.tail_shift import STILL, Ends

SMALL_SHARE = 1e-12

LIMIT = 10.0
"""Standard units beyond which the exact value that a network is told is clipped."""


@dataclass(frozen=True, kw_only=True)
class NumberColumn:
    """K ordered tokens, each an atom (one value) or an interval with its own density.

    All arrays are float64 in the column's units. Inside an interval the distribution
    is piecewise linear through `knots`, which follow the observed quantiles and are
    smoothed by a tenth of a uniform, so that it is positive everywhere.

    Attributes:
      low, high: `[K]` ends of the cells; equal for an atom. Intervals do not overlap.
      knots: `[K, M + 1]` quantiles 0, 1/M, ... 1 inside each cell.
      mean, sd: `[K]` of the observed values of a cell.
      share: `[K]` of the observed values; sums to 1.
      grid, scores: a monotone map to normal scores, by interpolation.
      centre, scale: mean and standard deviation of the observed values.
      decimals: how many decimals the values have; None if more than can be told.
      count: observed values it was fitted on.
    """

    low: np.ndarray
    high: np.ndarray
    knots: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    share: np.ndarray
    grid: np.ndarray
    scores: np.ndarray
    centre: float
    scale: float
    decimals: int | None
    count: int

    @classmethod
    def fit(
        cls, values: np.ndarray, max_bins: int, precision: float = 0.0
    ) -> "NumberColumn":
        """Fits on finite float64 values `[n]`, n >= 1, with about `max_bins` tokens.

        `precision` is how exactly, relatively, the values are known, if less than a
        double tells.

        A value that repeats more often than the others fill a bin becomes an atom; so
        do all of them where there are no more than `max_bins` distinct ones.
        """
        values = np.sort(np.asarray(values, np.float64))
        decimals = common_decimals(values, precision)
        step = 0.0 if decimals is None else 10.0**-decimals
        low, high, where = cut(values, max_bins, step)
        mean, sd, share = cell_moments(values, where, len(low))
        knots = np.stack(
            [knots_inside(values[where == k], low[k], high[k]) for k in range(len(low))]
        )
        grid, scores = score_grid(values)
        scale = float(values.std())
        return cls(
            low=low, high=high, knots=knots, mean=mean, sd=sd, share=share, grid=grid,
            scores=scores, centre=float(values.mean()),
            scale=scale if scale > 0 else 1.0, decimals=decimals, count=len(values),
        )  # fmt: skip

    @property
    def size(self) -> int:
        """Number of tokens K."""
        return len(self.low)

    @property
    def atom(self) -> np.ndarray:
        """`[K]` bool: tokens that stand for one value."""
        return self.low == self.high

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Tokens `[n]` of finite values: the cell that holds it, else the nearest."""
        first = np.searchsorted(self.low, values, side="right") - 1
        best = np.clip(first, 0, self.size - 1)
        # An interval may begin at an atom's value: the atom owns it.
        before = np.clip(best - 1, 0, self.size - 1)
        owned = self.atom[before] & (self.high[before] == values)
        best = np.where(owned, before, best)
        after = np.clip(best + 1, 0, self.size - 1)
        return self._nearer(values, best, after)

    def _nearer(self, values, a, b):
        return np.where(self._gap(values, b) < self._gap(values, a), b, a)

    def _gap(self, values, k):
        return np.maximum(np.maximum(self.low[k] - values, values - self.high[k]), 0.0)

    def context(self, values: np.ndarray) -> np.ndarray:
        """`[n, 2]` what a network is told: normal and (clipped) standard score."""
        normal = np.interp(values, self.grid, self.scores)
        standard = np.clip((values - self.centre) / self.scale, -LIMIT, LIMIT)
        return np.stack([normal, standard], axis=-1)

    def quantile_inside(self, k: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Value at share `u` in [0, 1] of the distribution inside cell `k`."""
        at = np.clip(u, 0.0, 1.0) * KNOTS
        i = np.minimum(at.astype(int), KNOTS - 1)
        a, b = self.knots[k, i], self.knots[k, i + 1]
        return a + (at - i) * (b - a)

    def share_inside(self, k: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The inverse of `quantile_inside`; 1/2 for an atom."""
        knots = self.knots[k]
        i = np.clip((knots <= values[:, None]).sum(axis=1) - 1, 0, KNOTS - 1)
        a = np.take_along_axis(knots, i[:, None], 1)[:, 0]
        b = np.take_along_axis(knots, i[:, None] + 1, 1)[:, 0]
        width = np.where(b > a, b - a, 1.0)
        u = (i + np.clip((values - a) / width, 0.0, 1.0)) / KNOTS
        return np.where(self.atom[k], 0.5, u)

    @property
    def _outermost(self) -> tuple[tuple[int, int, float], ...]:
        """(token, index into `Ends`, sign of outwards) of both outermost tokens."""
        return (0, 0, -1.0), (self.size - 1, 1, 1.0)

    @property
    def gaps(self) -> np.ndarray:
        """`[2, 2]` from the means of the outermost tokens to inner and outer end."""
        mean, low, high = (v[[0, -1]] for v in (self.mean, self.low, self.high))
        below, above = mean - low, high - mean
        return np.array([[above[0], below[0]], [below[1], above[1]]])

    def outward(self, k: np.ndarray, values: np.ndarray, ends: Ends) -> np.ndarray:
        """Where the values `[n]` of cells `k [n]` are told, `ends [n, 2]` moving."""
        for token, end, side in self._outermost:
            mean, stretch = self.mean[token], ends.stretch[:, end]
            # Bit for bit where nothing stretches: `mean + (value - mean)` would not be.
            told = values + side * ends.moves[:, end] + (values - mean) * (stretch - 1)
            values = np.where(k == token, told, values)
        # A rounding must not cross zero where no observed value does.
        if self.low[0] >= 0:
            values = np.maximum(values, 0.0)
        return np.minimum(values, 0.0) if self.high[-1] <= 0 else values

    def inward(self, k: np.ndarray, values: np.ndarray, ends: Ends) -> np.ndarray:
        """The inverse of `outward`, whose last step comes first."""
        for token, end, side in reversed(self._outermost):
            mean, stretch = self.mean[token], ends.stretch[:, end]
            own = values - side * ends.moves[:, end]
            own = own - (own - mean) * (1 - 1 / stretch)
            values = np.where(k == token, own, values)
        return values

    def decode(self, k: np.ndarray, u: np.ndarray, ends: Ends = STILL) -> np.ndarray:
        """Values `[n]` of tokens: a draw inside the cell for uniforms `u`, rounded."""
        return self.round(self.outward(k, self.quantile_inside(k, u), ends), ends)

    def round(self, values: np.ndarray, ends: Ends = STILL) -> np.ndarray:
        """To the decimals that the column has, inside its range and the `ends`."""
        if self.decimals is None:
            return values
        # The range may end between two values that the decimals can write.
        steps = 10.0**self.decimals
        first, last = np.zeros(1, int), np.full(1, self.size - 1)
        low = self.outward(first, self.low[:1], ends) * steps
        high = self.outward(last, self.high[-1:], ends) * steps
        low = np.ceil(low - 1e-6 - 1e-12 * np.abs(low))
        high = np.floor(high + 1e-6 + 1e-12 * np.abs(high))
        bounds = np.round(np.array([low, high]) / steps, self.decimals)
        return np.clip(np.round(values, self.decimals), *bounds)

    def log_density(self, values: np.ndarray, k: np.ndarray) -> np.ndarray:
        """`log p(value | token)` `[n]`: a density in the column's units, 0 for an atom.

        A value outside every cell gets the `1 / (n + 2)` that n observations leave to
        the unseen, with an exponential tail of the column's scale.
        """
        u = self.share_inside(k, values)
        i = np.minimum((u * KNOTS).astype(int), KNOTS - 1)
        width = (self.knots[k, i + 1] - self.knots[k, i]) * KNOTS
        inside = np.where(self.atom[k], 0.0, -np.log(np.where(width > 0, width, 1.0)))
        gap = self._gap(values, k)
        unseen = -np.log(self.count + 2.0) - np.log(self.scale) - gap / self.scale
        return np.where(gap > 0, unseen, inside)

    def moments(
        self, p: np.ndarray, ends: Ends = STILL
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation `[n]` under token probabilities `p [n, K]`."""
        unit = (self.mean - self.centre) / self.scale
        first = p @ unit
        spread = (self.sd / self.scale) ** 2
        second = p @ (unit**2 + spread)
        for k, end, side in self._outermost:
            step = side * ends.moves[:, end] / self.scale
            wider = spread[k] * (ends.stretch[:, end] ** 2 - 1)
            first = first + p[:, k] * step
            second = second + p[:, k] * (step * (2 * unit[k] + step) + wider)
        sd = np.sqrt(np.maximum(second - first**2, 0.0))
        return self.centre + self.scale * first, self.scale * sd

    def quantile(self, p: np.ndarray, u: np.ndarray, ends: Ends = STILL) -> np.ndarray:
        """Quantiles `[n]` of the mixture `p [n, K]` at shares `u [n]`."""
        cdf = np.cumsum(p, axis=1)
        target = np.clip(u, 0.0, 1.0) * cdf[:, -1]
        k = np.minimum((cdf < target[:, None]).sum(axis=1), self.size - 1)
        rows = np.arange(len(p))
        inside = (target - (cdf[rows, k] - p[rows, k])) / np.maximum(
            p[rows, k], SMALL_SHARE
        )
        return self.outward(k, self.quantile_inside(k, inside), ends)

    def cdf(self, p: np.ndarray, values: np.ndarray) -> np.ndarray:
        """`P(X <= value)` `[n]` under the mixture; at an atom, half of its mass."""
        k = self.encode(values)
        rows = np.arange(len(p))
        below = np.cumsum(p, axis=1)[rows, k] - p[rows, k]
        return below + p[rows, k] * self.share_inside(k, values)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and lists, for `from_json`; exact."""
        plain = {k: v.tolist() if isinstance(v, np.ndarray) else v
                 for k, v in vars(self).items()}  # fmt: skip
        return {"kind": "number", **plain}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "NumberColumn":
        """What `to_json` wrote."""
        arrays: dict[str, Any] = {
            name: np.asarray(value, np.float64) if isinstance(value, list) else value
            for name, value in fields.items()
            if name != "kind"
        }
        return cls(**arrays)
