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
from ambient_jax.tabular.columns.magnitude import (
    FAR,
    FLOAT64_LIMITS,
    mixture_sd,
    root_mean_square,
    round_within,
    safe_exponent,
)

MIN_PROBABILITY = 1e-12
"""Probabilities are raised to this before something is divided by them."""

MAX_STANDARD_SCORE = 10.0
"""Standard scores are clipped to this size, so that one huge value does not swamp the
network. The normal score beside it has no need of it."""

MAX_EXTRAPOLATION = 0.5
"""A regression may impute numbers so far beyond the observed ones, as a share of their
range; no negative number where none is observed, and no positive one likewise."""


@dataclass(frozen=True, kw_only=True)
class NumberColumn:
    """The vocabulary of a numeric column: K ordered bins, each of which is a token.

    A bin is an atom (one value) or an interval. Inside an interval the distribution
    function is piecewise linear through `knots`. They follow the observed quantiles,
    with a tenth of a uniform mixed in, so that the density is positive everywhere.
    All arrays are float64, in units of 2**`exponent` of the column's unit. Methods take
    and return values in the column's unit, which may be any finite float64.

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
      exponent: 0 unless values are huge, see `magnitude.safe_exponent`.
      extent: `[2]` lowest and highest value that a regression may impute; None: those
        that were observed.
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
    exponent: int = 0
    extent: np.ndarray | None = None

    @classmethod
    def fit(
        cls, values: np.ndarray, max_bins: int, precision: float = 0.0,
        limits: tuple[float, float] = FLOAT64_LIMITS,
    ) -> "NumberColumn":  # fmt: skip
        """Fits the bins.

        A value becomes an atom if it occurs more often than the other values would in
        an average bin. All do if there are no more than `max_bins` distinct ones.

        Args:
          values: `[n]` finite observed values, n >= 1.
          max_bins: about how many bins there are at most.
          precision: relative precision of the values, if it is lower than a double's.
          limits: the smallest and the largest value that the column can hold.
        """
        values = np.sort(np.asarray(values, np.float64))
        decimals = common_decimals(values, precision)
        exponent = safe_exponent(values)
        values = np.ldexp(values, -exponent)
        step = 0.0 if decimals is None else float(np.ldexp(10.0**-decimals, -exponent))
        bounds = tuple(np.ldexp(limits, -exponent).tolist())
        low, high, bins = cut_bins(values, max_bins, step, bounds)
        mean, sd, share = bin_moments(values, bins, len(low))
        knots = np.stack(
            [knots_inside(values[bins == k], low[k], high[k]) for k in range(len(low))]
        )
        grid, scores = normal_scores(values)
        centre = float(values.mean())
        scale = root_mean_square(values - centre)
        return cls(
            low=low, high=high, knots=knots, mean=mean, sd=sd, share=share, grid=grid,
            scores=scores, centre=centre, scale=scale if scale > 0 else 1.0,
            decimals=decimals, count=len(values), exponent=exponent,
            extent=np.clip(_extent(low[0], high[-1]), *bounds),
        )  # fmt: skip

    @property
    def size(self) -> int:
        """K, the number of tokens."""
        return len(self.low)

    @property
    def atom(self) -> np.ndarray:
        """`[K]` bool: bins that hold one value."""
        return self.low == self.high

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Values in the unit of the arrays; clipped far beyond all bins."""
        return np.clip(np.ldexp(values, -self.exponent), -FAR, FAR)

    def unscaled(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `scaled`; finite for all values inside the bins."""
        return np.ldexp(values, self.exponent)

    def bounds(self, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds `[n]` of bins `k [n]`, in the column's unit."""
        return self.unscaled(self.low[k]), self.unscaled(self.high[k])

    @property
    def limits(self) -> np.ndarray:
        """`[2]` the extent or, without one, the observed range."""
        observed = np.array([self.low[0], self.high[-1]])
        return observed if self.extent is None else self.extent

    @property
    def bin_means(self) -> np.ndarray:
        """`[K]` means of the observed values in each bin, in the column's unit."""
        return self.unscaled(self.mean)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Tokens `[n]` of finite values: the bin that holds each, else the nearest."""
        values = self.scaled(values)
        begun = np.searchsorted(self.low, values, side="right") - 1
        best = np.clip(begun, 0, self.size - 1)
        # Where an interval begins at an atom's value, the value belongs to the atom.
        before = np.clip(best - 1, 0, self.size - 1)
        at_atom = self.atom[before] & (self.high[before] == values)
        best = np.where(at_atom, before, best)
        after = np.clip(best + 1, 0, self.size - 1)
        nearer = self.distance(values, after) < self.distance(values, best)
        return np.where(nearer, after, best)

    def distance(self, values: np.ndarray, k: np.ndarray) -> np.ndarray:
        """Distance `[n]` of scaled values from bins `k [n]`; 0 inside."""
        return np.maximum(np.maximum(self.low[k] - values, values - self.high[k]), 0.0)

    @np.errstate(over="ignore")  # quotients are clipped
    def context(self, values: np.ndarray) -> np.ndarray:
        """Normal scores and clipped standard scores `[n, 2]`, for the network."""
        values = self.scaled(values)
        normal = np.interp(values, self.grid, self.scores)
        standard = (values - self.centre) / self.scale
        standard = np.clip(standard, -MAX_STANDARD_SCORE, MAX_STANDARD_SCORE)
        return np.stack([normal, standard], axis=-1)

    def quantile_inside(self, k: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Quantiles `[n]` at levels `u [n]`, in [0, 1], inside bins `k [n]`."""
        at = np.clip(u, 0.0, 1.0) * PIECES
        i = np.minimum(at.astype(int), PIECES - 1)
        a, b = self.knots[k, i], self.knots[k, i + 1]
        return self.unscaled(a + (at - i) * (b - a))

    @np.errstate(over="ignore")  # quotients are clipped
    def cdf_inside(self, k: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Distribution functions `[n]` of bins `k [n]` at values; 1/2 for an atom.

        It is the inverse of `quantile_inside`.
        """
        values, knots = self.scaled(values), self.knots[k]
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
        """Rounds values `[n]` to the column's decimals, inside its `limits`."""
        if self.decimals is None:
            return values
        low, high = self.unscaled(self.limits).tolist()
        return round_within(values, self.decimals, low, high)

    def central_value(self, k: np.ndarray) -> np.ndarray:
        """Values `[n]` that stand for tokens `k [n]`: atoms, and means of intervals."""
        return self.unscaled(np.where(self.atom[k], self.low[k], self.mean[k]))

    def expectation(self, p: np.ndarray) -> np.ndarray:
        """Mean `[n]` under token probabilities `p [n, K]`."""
        # Relative to the mean, a huge value would cancel the others' digits.
        middle = self.mean[int((np.cumsum(self.share) < 0.5).sum())]
        mean = middle + p @ (self.mean - middle)
        return self.unscaled(np.clip(mean, self.low[0], self.high[-1]))

    def moments(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation `[n]` under token probabilities `p [n, K]`."""
        mean = self.expectation(p)
        sd = mixture_sd(p, self.mean - self.scaled(mean)[:, None], self.sd)
        widest = (self.high[-1] - self.low[0]) / 2
        return mean, self.unscaled(np.minimum(sd, widest))

    def quantile(self, p: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Quantiles `[n]` at levels `u [n]` under token probabilities `p [n, K]`."""
        cdf = np.cumsum(p, axis=1)
        target = np.clip(u, 0.0, 1.0) * cdf[:, -1]
        k = np.minimum((cdf < target[:, None]).sum(axis=1), self.size - 1)
        rows = np.arange(len(p))
        own, above = p[rows, k], cdf[rows, k]
        inside = (target - (above - own)) / np.maximum(own, MIN_PROBABILITY)
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
            name: np.asarray(value, float) if isinstance(value, list) else value
            for name, value in fields.items() if name != "kind"
        }  # fmt: skip
        return cls(**arrays)


def _extent(low: float, high: float) -> np.ndarray:
    """Returns the range `[2]` of observed numbers and what may lie beyond it."""
    beyond = MAX_EXTRAPOLATION * (high - low)
    lowest = low - beyond if low < 0 else max(low - beyond, 0.0)
    highest = high + beyond if high > 0 else min(high + beyond, 0.0)
    return np.array([lowest, highest])
