"""A normal or log-normal distribution of numbers of one column."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from ambient_jax.tabular.columns.density import MIN_PROBABILITY
from ambient_jax.tabular.columns.number import NumberColumn

MAX_EXPONENT = 700.0
"""The exponential of this is finite in float64."""

MAX_LOG_VARIANCE = 9.0
"""Variances of logarithms are lowered to this, so that the mean is finite."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Normal:
    """A normal or log-normal distribution for each of n cells of a number.

    Attributes:
      coder: of the column, in the unit of whose arrays the location is.
      location, scale: `[n]` mean and standard deviation of the number or, if it is
        `logarithmic`, of its logarithm. Scales are positive.
      logarithmic: whether the distribution is log-normal.
    """

    coder: NumberColumn
    location: np.ndarray
    scale: np.ndarray
    logarithmic: bool

    def cdf(self, values: np.ndarray) -> np.ndarray:
        """Distribution functions `[n]` (or `[n, m]`) at values in the column's unit."""
        return self._cdf(self.coder.scaled(values))

    def _cdf(self, scaled: np.ndarray) -> np.ndarray:
        location, scale = self.location, self.scale
        if scaled.ndim == 2:
            location, scale = location[:, None], scale[:, None]
        if self.logarithmic:
            positive = np.where(scaled > 0, scaled, 1.0)
            scaled = np.where(scaled > 0, np.log(positive), -np.inf)
        return ndtr((scaled - location) / scale)

    def upper_edges(self) -> np.ndarray:
        """`[n, K]` distribution functions at the upper ends of the cells of tokens.

        The cell of a token reaches to the middle between its bin and the next one; the
        first and the last one have no bounds.
        """
        upper = self._edges()[1:]
        return self._cdf(np.broadcast_to(upper, (len(self.location), len(upper))))

    def _edges(self) -> np.ndarray:
        """`[K + 1]` ends of the cells of tokens."""
        middle = (self.coder.high[:-1] + self.coder.low[1:]) / 2
        return np.r_[-np.inf, middle, np.inf]

    def log_density(self, values: np.ndarray, k: np.ndarray) -> np.ndarray:
        """Log densities `[n]` at values with tokens `k [n]`; of atoms log masses.

        The unit of a density is one over the column's.
        """
        edges = self._edges()
        mass = self._cdf(edges[k + 1]) - self._cdf(edges[k])
        at_atom = np.log(np.maximum(mass, MIN_PROBABILITY))
        return np.where(self.coder.atom[k], at_atom, self._log_density(values))

    def _log_density(self, values: np.ndarray) -> np.ndarray:
        scaled = self.coder.scaled(values)
        jacobian = np.full(len(scaled), self.coder.exponent * np.log(2))
        if self.logarithmic:
            scaled = np.log(np.maximum(scaled, MIN_PROBABILITY))
            jacobian += scaled
        z = (scaled - self.location) / self.scale
        return -0.5 * (z**2 + np.log(2 * np.pi)) - np.log(self.scale) - jacobian

    def quantile(self, u: float | np.ndarray) -> np.ndarray:
        """Values `[n]` at levels `u` in (0, 1), `[n]` or one for all cells.

        They are raised or lowered to the limits of the column.
        """
        value = self.location + self.scale * ndtri(np.clip(u, 1e-12, 1 - 1e-12))
        if self.logarithmic:
            value = np.exp(np.minimum(value, MAX_EXPONENT))
        return self.coder.unscaled(self._inside(value))

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean, raised or lowered to the column's limits, and standard deviation."""
        if not self.logarithmic:
            mean, sd = self.location, self.scale
        else:
            variance = np.minimum(self.scale**2, MAX_LOG_VARIANCE)
            mean = np.exp(np.minimum(self.location + variance / 2, MAX_EXPONENT))
            sd = mean * np.sqrt(np.expm1(variance))
        low, high = self.coder.low[0], self.coder.high[-1]
        sd = np.minimum(sd, (high - low) / 2)
        return self.coder.unscaled(self._inside(mean)), self.coder.unscaled(sd)

    def _inside(self, scaled: np.ndarray) -> np.ndarray:
        return np.clip(scaled, *self.coder.limits)
