"""Factor analysis of rows with missing cells, fitted by EM.

A row is `x = W f + e` with factors `f ~ N(0, I)` and noise `e_d ~ N(0, psi_d)`.

References:
  Rubin and Thayer 1982 (Psychometrika 47, 69), with the missing cells integrated out.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.extmath import randomized_svd

from ambient_jax.tabular.columns.codec import TableCodec

RANK = 16
"""Maximum number of factors."""

ITERATIONS = 60
"""Iterations of EM."""

MIN_NOISE = 0.003
"""Minimum noise variance of a standardised coordinate."""

NOISE_ROWS, NOISE = 2.0, 0.2
"""Prior of a noise variance: its weight in rows, and its mean."""


@dataclass(frozen=True, kw_only=True)
class Coordinates:
    """Maps the cells of a row to D standardised coordinates.

    A number has one coordinate, a category one indicator per token.

    Attributes:
      centre, sd: `[D]` mean and standard deviation of the observed coordinates.
      where: for each column of the codec its slice of the D coordinates.
    """

    centre: np.ndarray
    sd: np.ndarray
    where: tuple[slice, ...]

    @classmethod
    def fit(
        cls, codec: TableCodec, tokens: np.ndarray, numbers: np.ndarray
    ) -> tuple["Coordinates", np.ndarray]:
        """Returns the coordinates and the rows `[N, D]`; arguments as in `of`."""
        where = _slots(codec)
        wide = where[-1].stop
        raw = cls(centre=np.zeros(wide), sd=np.ones(wide), where=where)
        x = raw.of(codec, tokens, numbers)
        count = np.maximum(np.isfinite(x).sum(axis=0), 1)
        centre = np.nansum(x, axis=0) / count
        sd = np.sqrt(np.nansum((x - centre) ** 2, axis=0) / count)
        sd = np.where(sd > 1e-6, sd, 1.0)
        return cls(centre=centre, sd=sd, where=where), (x - centre) / sd

    def of(
        self, codec: TableCodec, tokens: np.ndarray, numbers: np.ndarray
    ) -> np.ndarray:
        """Returns `[N, D]` float64, NaN where a token of `tokens [N, L]` is missing.

        Args:
          numbers: `[N, L]` of order one: scores or standardised values. Missing cells
            and categories are ignored.
        """
        x = np.full((len(tokens), len(self.centre)), np.nan)
        for i, (column, slot) in enumerate(zip(codec.columns, self.where)):
            own = tokens[:, i].astype(int)[:, None]
            flags = own == np.arange(slot.stop - slot.start)
            cells = numbers[:, i, None] if column.numeric else flags
            x[:, slot] = np.where(own < codec.num_values, cells, np.nan)
        return (x - self.centre) / self.sd


def _slots(codec: TableCodec) -> tuple[slice, ...]:
    """Returns the slice of the coordinates of each column, see `Coordinates.where`."""
    sizes = [1 if column.numeric else column.coder.size for column in codec.columns]
    stops = np.cumsum(sizes).tolist()
    return tuple(slice(stop - size, stop) for size, stop in zip(sizes, stops))


def factor_em(x: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns weights `[D, rank]` and noise `[D]`, fitted on rows `[N, D]` with NaN."""
    seen = np.isfinite(x).astype(np.float64)
    x = np.where(seen > 0, x, 0.0)
    count = seen.sum(axis=0)
    _, size, vectors = randomized_svd(x, rank, random_state=0)
    weights = vectors.T * np.maximum(size / np.sqrt(len(x)), 0.1)
    noise = np.full(x.shape[1], 0.5)
    eye = np.eye(rank)
    for _ in range(ITERATIONS):
        mean, spread = posterior(x, seen, weights, noise)
        second = (spread + mean[:, :, None] * mean[:, None, :]).reshape(len(x), -1)
        a = (seen.T @ second).reshape(-1, rank, rank)
        b = x.T @ mean
        prior = (rank * noise)[:, None, None] * eye
        weights = np.linalg.solve(a + prior, b[..., None])[..., 0]
        rest = (x**2).sum(axis=0) - 2 * (weights * b).sum(axis=1)
        rest += np.einsum("dr,drs,ds->d", weights, a, weights)
        noise = (np.maximum(rest, 0.0) + NOISE_ROWS * NOISE) / (count + NOISE_ROWS)
        noise = np.maximum(noise, MIN_NOISE)
    size = (weights**2).sum(axis=1) + noise
    return weights / np.sqrt(size)[:, None], noise / size


def posterior(
    x: np.ndarray, seen: np.ndarray, weights: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean `[N, rank]` and covariance `[N, rank, rank]` of the rows' factors.

    Args:
      x: `[N, D]`, 0 where a cell is missing; seen: `[N, D]`, 1 where it is not.
    """
    rank = weights.shape[1]
    outer = (weights[:, :, None] * weights[:, None, :]).reshape(-1, rank * rank)
    precision = ((seen / noise) @ outer).reshape(-1, rank, rank)
    spread = np.linalg.inv(np.eye(rank) + precision)
    return np.einsum("nrs,ns->nr", spread, (x / noise) @ weights), spread
