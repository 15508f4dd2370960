"""A numeric column as tokens: atoms, intervals, and a density inside each interval."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ambient_jax.tabular.columns.binning import (
    PIECES,
    bin_moments,
    common_decimals,
    cut_bins,
    knots_inside,
    normal_scores,
)

MIN_PROBABILITY = 1e-12
"""Probabilities are raised to this before something is divided by them."""

MAX_STANDARD_SCORE = 10.0
"""Standard scores are clipped to this size, so that one huge value does not swamp the
network. The normal score beside it has no need of it."""


@dataclass(frozen=True, kw_only=True)
class NumberColumn:
    """The vocabulary of a numeric column: K ordered bins, each of which is a token.

    A bin is an atom (one value) or an interval. Inside an interval the distribution
    function is piecewise linear through `knots`. They follow the observed quantiles,
    with a tenth of a uniform mixed in, so that the density is positive everywhere.
    All arrays are float64 in the column's units.

    Attributes:
      low, high: `[K]` bounds of the bins; equal for an atom. Intervals do not overlap.
      knots: `[K, M + 1]` quantiles 0, 1/M, ... 1 inside each bin.
      mean, sd: `[K]` mean and standard deviation of the observed values in each bin.
      share: `[K]` of the observed values in each bin; sums to 1.
      grid, scores: values and their normal scores; others are interpolated.
      centre, scale: mean and standard deviation of the observed values; a scale of 0
        is replaced by 1.
      decimals: how many decimals the values have; None if they are not rounded.
      count: number of observed values it was fitted on.
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
        """Fits the bins.

        A value becomes an atom if it occurs more often than the other values would in
        an average bin. All do if there are no more than `max_bins` distinct ones.

        Args:
          values: `[n]` finite observed values, n >= 1.
          max_bins: about how many bins there are at most.
          precision: relative precision of the values, if it is lower than a double's.
        """
        values = np.sort(np.asarray(values, np.float64))
        decimals = common_decimals(values, precision)
        step = 0.0 if decimals is None else 10.0**-decimals
        low, high, bins = cut_bins(values, max_bins, step)
        mean, sd, share = bin_moments(values, bins, len(low))
        knots = np.stack(
            [knots_inside(values[bins == k], low[k], high[k]) for k in range(len(low))]
        )
        grid, scores = normal_scores(values)
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
        """`[K]` bool: bins that hold one value."""
        return self.low == self.high

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Tokens `[n]` of finite values: the bin that holds each, else the nearest."""
        begun = np.searchsorted(self.low, values, side="right") - 1
        best = np.clip(begun, 0, self.size - 1)
        # Where an interval begins at an atom's value, the value belongs to the atom.
        before = np.clip(best - 1, 0, self.size - 1)
        at_atom = self.atom[before] & (self.high[before] == values)
        best = np.where(at_atom, before, best)
        after = np.clip(best + 1, 0, self.size - 1)
        nearer = self._distance(values, after) < self._distance(values, best)
        return np.where(nearer, after, best)

    def _distance(self, values, k):
        """Distance `[n]` of values from bins `k [n]`; 0 inside."""
        return np.maximum(np.maximum(self.low[k] - values, values - self.high[k]), 0.0)

    def context(self, values: np.ndarray) -> np.ndarray:
        """Normal scores and clipped standard scores `[n, 2]`, for the network."""
        normal = np.interp(values, self.grid, self.scores)
        limit = MAX_STANDARD_SCORE
        standard = np.clip((values - self.centre) / self.scale, -limit, limit)
        return np.stack([normal, standard], axis=-1)

    def quantile_inside(self, k: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Quantiles `[n]` at levels `u [n]`, in [0, 1], inside bins `k [n]`."""
        at = np.clip(u, 0.0, 1.0) * PIECES
        i = np.minimum(at.astype(int), PIECES - 1)
        a, b = self.knots[k, i], self.knots[k, i + 1]
        return a + (at - i) * (b - a)

    def cdf_inside(self, k: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Distribution functions `[n]` of bins `k [n]` at values; 1/2 for an atom.

        It is the inverse of `quantile_inside`.
        """
        knots = self.knots[k]
        i = np.clip((knots <= values[:, None]).sum(axis=1) - 1, 0, PIECES - 1)
        a = np.take_along_axis(knots, i[:, None], 1)[:, 0]
        b = np.take_along_axis(knots, i[:, None] + 1, 1)[:, 0]
        width = np.where(b > a, b - a, 1.0)
        u = (i + np.clip((values - a) / width, 0.0, 1.0)) / PIECES
        return np.where(self.atom[k], 0.5, u)

    def decode(self, k: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Values `[n]` of tokens `k [n]`: rounded draws inside their bins.

        Args:
          u: `[n]` uniform draws in [0, 1).
        """
        return self.round(self.quantile_inside(k, u))

    def round(self, values: np.ndarray) -> np.ndarray:
        """Rounds values `[n]` to the column's decimals, inside its range."""
        if self.decimals is None:
            return values
        # The range may end between two values that the decimals can write.
        steps = 10.0**self.decimals
        low, high = self.low[0] * steps, self.high[-1] * steps
        low = np.ceil(low - 1e-6 - 1e-12 * np.abs(low))
        high = np.floor(high + 1e-6 + 1e-12 * np.abs(high))
        bounds = np.round(np.array([low, high]) / steps, self.decimals)
        return np.clip(np.round(values, self.decimals), *bounds)

    def log_density(self, values: np.ndarray, k: np.ndarray) -> np.ndarray:
        """Log densities `log p(value | token)` `[n]` in nats; 0 for an atom.

        The unit of a density is one over the column's. A value outside its bin gets the
        probability `1 / (n + 2)` that n observations leave to unseen values, spread by
        an exponential tail of the column's scale.

        Args:
          values: `[n]` finite values.
          k: `[n]` their tokens.
        """
        u = self.cdf_inside(k, values)
        i = np.minimum((u * PIECES).astype(int), PIECES - 1)
        width = (self.knots[k, i + 1] - self.knots[k, i]) * PIECES
        inside = np.where(self.atom[k], 0.0, -np.log(np.where(width > 0, width, 1.0)))
        distance = self._distance(values, k)
        unseen = -np.log(self.count + 2.0) - np.log(self.scale) - distance / self.scale
        return np.where(distance > 0, unseen, inside)

    def moments(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation `[n]` under token probabilities `p [n, K]`."""
        unit = (self.mean - self.centre) / self.scale
        first = p @ unit
        spread = (self.sd / self.scale) ** 2
        second = p @ (unit**2 + spread)
        sd = np.sqrt(np.maximum(second - first**2, 0.0))
        return self.centre + self.scale * first, self.scale * sd

    def quantile(self, p: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Quantiles `[n]` at levels `u [n]` under token probabilities `p [n, K]`."""
        cdf = np.cumsum(p, axis=1)
        target = np.clip(u, 0.0, 1.0) * cdf[:, -1]
        k = np.minimum((cdf < target[:, None]).sum(axis=1), self.size - 1)
        rows = np.arange(len(p))
        inside = (target - (cdf[rows, k] - p[rows, k])) / np.maximum(
            p[rows, k], MIN_PROBABILITY
        )
        return self.quantile_inside(k, inside)

    def to_json(self) -> dict[str, Any]:
        """Fields that JSON can hold, for `from_json`; floats are exact."""
        plain = {k: v.tolist() if isinstance(v, np.ndarray) else v
                 for k, v in vars(self).items()}  # fmt: skip
        return {"kind": "number", **plain}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "NumberColumn":
        """The inverse of `to_json`."""
        arrays: dict[str, Any] = {
            name: np.asarray(value, np.float64) if isinstance(value, list) else value
            for name, value in fields.items()
            if name != "kind"
        }
        return cls(**arrays)
