"""The predictive distribution of missing cells of one column."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ambient_jax.tabular.columns.category import CategoryColumn
from ambient_jax.tabular.columns.density import MIN_PROBABILITY, log_density
from ambient_jax.tabular.columns.magnitude import mixture_sd
from ambient_jax.tabular.columns.normal import Normal
from ambient_jax.tabular.columns.number import NumberColumn

BISECTIONS = 60
"""Steps by which a quantile is found inside a bin."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Prediction:
    """What is predicted of n missing cells of a column.

    It is the network's distribution over the tokens and inside the bins or, if there is
    a `normal`, its mixture with that.

    Attributes:
      coder: of the column.
      p: `[n, K]` the network's probabilities of the tokens; rows sum to 1.
      normal: second component, of numbers only.
      weight: `[n]` weight of the second component, in [0, 1].
    """

    coder: NumberColumn | CategoryColumn
    p: np.ndarray
    normal: Normal | None = None
    weight: np.ndarray | None = None

    @property
    def number(self) -> NumberColumn:
        """The coder, of a column of numbers."""
        assert isinstance(self.coder, NumberColumn)
        return self.coder

    def token_probabilities(self) -> np.ndarray:
        """`[n, K]` probabilities of the tokens; rows sum to 1."""
        if self.normal is None:
            return self.p
        mass = np.diff(self.normal.upper_edges(), axis=1, prepend=0.0)
        return self._mixed(self.p, mass)

    def _mixed(self, network: np.ndarray, normal: np.ndarray) -> np.ndarray:
        assert self.weight is not None
        weight = self.weight[:, None] if network.ndim == 2 else self.weight
        return (1 - weight) * network + weight * normal

    def expectation(self) -> np.ndarray:
        """Means `[n]` of numbers."""
        mean = self.number.expectation(self.p)
        if self.normal is None:
            return mean
        return self._mixed(mean, self.normal.moments()[0])

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations `[n]` of numbers."""
        mean, sd = self.number.moments(self.p)
        if self.normal is None:
            return mean, sd
        assert self.weight is not None
        other, spread = self.normal.moments()
        both = self._mixed(mean, other)
        weights = np.stack([1 - self.weight, self.weight], axis=1)
        distance = np.stack([mean, other], axis=1) - both[:, None]
        return both, mixture_sd(weights, distance, np.stack([sd, spread], axis=1))

    def quantile(self, level: float) -> np.ndarray:
        """Quantiles `[n]` of numbers at a level in [0, 1]."""
        if self.normal is None:
            return self.number.quantile(self.p, np.full(len(self.p), level))
        upper = self._mixed(np.cumsum(self.p, axis=1), self.normal.upper_edges())
        k = np.minimum((upper < level).sum(axis=1), self.number.size - 1)
        cdf = self._cdf_inside(k)
        low, high = self._reach(k)
        for _ in range(BISECTIONS):
            middle = low + (high - low) / 2
            below = cdf(middle) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return high

    def _reach(self, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bounds `[n]` of bins `k [n]`; the outermost intervals reach to the limits."""
        low, high = self.number.bounds(k)
        first, last = self.number.unscaled(self.number.limits)
        open_ = ~self.number.atom[k]
        return (np.where(open_ & (k == 0), first, low),
                np.where(open_ & (k == self.number.size - 1), last, high))  # fmt: skip

    def _cdf_inside(self, k: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Returns the distribution functions inside the bins `k [n]`."""
        rows = np.arange(len(k))
        own = self.p[rows, k]
        before = np.cumsum(self.p, axis=1)[rows, k] - own

        def cdf(values: np.ndarray) -> np.ndarray:
            network = before + own * self.number.cdf_inside(k, values)
            if self.normal is None:
                return network
            return self._mixed(network, self.normal.cdf(values))

        return cdf

    def cdf_bounds(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities `[n]` below values, and up to them; apart only at atoms."""
        k, rows = self.number.encode(values), np.arange(len(self.p))
        p = self.token_probabilities()
        upper = np.cumsum(p, axis=1)[rows, k]
        inside, atom = self._cdf_inside(k)(values), self.number.atom[k]
        lower = upper - p[rows, k]
        return np.where(atom, lower, inside), np.where(atom, upper, inside)

    def mode(self) -> np.ndarray:
        """The most probable token `[n]` of each cell, as a number that stands for it.

        Of a bin it is the mean or, where the normal component prevails, the value in
        the bin that is nearest to its median.
        """
        k = self.token_probabilities().argmax(axis=1)
        values = self.number.central_value(k)
        if self.normal is None:
            return values
        assert self.weight is not None
        nearest = np.clip(self.normal.quantile(0.5), *self._reach(k))
        return np.where(self.weight > 0.5, nearest, values)

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """Log densities `[n]` of numbers per unit of the column; of atoms log p."""
        k, rows = self.number.encode(values), np.arange(len(self.p))
        network = np.log(np.maximum(self.p[rows, k], MIN_PROBABILITY))
        network = network + log_density(self.number, values, k)
        if self.normal is None:
            return network
        assert self.weight is not None
        return np.logaddexp(
            np.log(np.maximum(1 - self.weight, MIN_PROBABILITY)) + network,
            np.log(np.maximum(self.weight, MIN_PROBABILITY))
            + self.normal.log_density(values, k),
        )  # fmt: skip
