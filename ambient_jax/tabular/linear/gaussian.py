"""A Gaussian with a full covariance, fitted by EM to rows with missing cells."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

ITERATIONS = 40
"""Maximum number of iterations of EM."""

TOLERANCE = 1e-3
"""EM stops when the log determinant of the covariance changes by less, per dimension.

The determinant notices the smallest variances, which are those of sharp relations."""

MIN_VARIANCE = 1e-8
"""Is added to the variances in each iteration, so that a coordinate may be an exact
linear function of others. Coordinates have a variance of about 1."""

MAX_BLOCK = 2**21
"""Maximum number of entries of the covariances that are in memory at once."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Gaussian:
    """`x ~ N(mean, covariance)` in D dimensions, float64.

    Attributes:
      mean: `[D]`.
      covariance: `[D, D]`, symmetric and positive definite.
    """

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def fit(cls, x: np.ndarray) -> "Gaussian":
        """Returns the maximum-likelihood estimate of rows `[N, D]`, NaN where missing.

        Args:
          x: rows whose coordinates have a mean near 0 and a variance near 1.

        References:
          Dempster, Laird and Rubin 1977, sec. 4.1; Little and Rubin 2019, sec. 11.2.
        """
        size = x.shape[1]
        made = cls(mean=np.zeros(size), covariance=np.eye(size))
        before = np.inf
        for _ in range(ITERATIONS):
            made = made._after_em(x)
            now = float(np.linalg.slogdet(made.covariance)[1])
            if abs(now - before) < TOLERANCE * size:
                break
            before = now
        return made

    def _after_em(self, x: np.ndarray) -> "Gaussian":
        """Returns the estimate after one more iteration of EM."""
        size = len(self.mean)
        total, second = np.zeros(size), np.zeros((size, size))
        for part, mean, covariance in self.given(x):
            full = np.where(np.isfinite(x[part]), x[part], mean) - self.mean
            total += full.sum(axis=0)
            second += full.T @ full + covariance.sum(axis=0)
        shift = total / len(x)
        covariance = second / len(x) - np.outer(shift, shift)
        covariance = (covariance + covariance.T) / 2 + MIN_VARIANCE * np.eye(size)
        return Gaussian(mean=self.mean + shift, covariance=covariance)

    def given(self, x: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Yields the conditional distribution given the finite coordinates of rows.

        Args:
          x: `[N, D]`, NaN where a coordinate is not given.

        Yields:
          `(rows, mean [n, D], covariance [n, D, D])` of consecutive parts of the rows.
          Given coordinates have themselves as the mean, and a covariance of 0.
        """
        step = max(1, MAX_BLOCK // max(1, len(self.mean)) ** 2)
        for begin in range(0, len(x), step):
            part = slice(begin, min(begin + step, len(x)))
            seen = np.isfinite(x[part])
            distance = np.where(seen, x[part] - self.mean, 0.0)
            slope = self.covariance @ self._precision_of(seen)
            mean = self.mean + np.einsum("nij,nj->ni", slope, distance)
            covariance = self.covariance - slope @ self.covariance
            hidden = ~seen
            covariance *= hidden[:, :, None] & hidden[:, None, :]
            yield part, np.where(seen, x[part], mean), covariance

    def _precision_of(self, seen: np.ndarray) -> np.ndarray:
        """`[n, D, D]` inverse of the covariance of the seen coordinates, 0 elsewhere.

        Args:
          seen: `[n, D]` bool.
        """
        both = seen[:, :, None] & seen[:, None, :]
        block = np.where(both, self.covariance, 0.0)
        diagonal = np.arange(len(self.mean))
        block[:, diagonal, diagonal] += ~seen
        return np.where(both, np.linalg.inv(block), 0.0)


def condition_on(
    mean: np.ndarray, covariance: np.ndarray, index: int, values: np.ndarray
) -> None:
    """Conditions Gaussians on one more coordinate each, in place.

    A coordinate that is already given, or almost a function of those that are, adds
    nothing.

    Args:
      mean, covariance: `[n, D]` and `[n, D, D]`, as `Gaussian.given` yields them.
      index: of the coordinate.
      values: `[n]` its values; NaN where it stays unknown.
    """
    variance = covariance[:, index, index]
    new = np.isfinite(values) & (variance > MIN_VARIANCE / 2)
    slope = covariance[:, :, index] / np.where(new, variance, np.inf)[:, None]
    distance = np.where(new, values - mean[:, index], 0.0)
    mean += slope * distance[:, None]
    covariance -= slope[:, :, None] * covariance[:, None, index, :]
