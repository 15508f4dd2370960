"""A linear Gaussian model with few factors of rows that lack cells, fitted by EM.

A row is `x = W f + e` with factors `f ~ N(0, I)` and noise `e_d ~ N(0, psi_d)`.

References:
  Rubin and Thayer 1982 (Psychometrika 47, 69), with the missing cells integrated out.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.extmath import randomized_svd

from ambient_jax.tabular.columns.codec import TableCodec

RANK = 16
"""Most factors."""

ITERATIONS = 60

LEAST_NOISE = 0.003
NOISE_ROWS, NOISE = 2.0, 0.2
"""The prior of a noise variance: so many rows that had this one."""


@dataclass(frozen=True, kw_only=True)
class Coordinates:
    """How a row's cells become D standardised ones: numbers, and flags of categories.

    Attributes:
      centre, sd: `[D]` of the observed ones.
      where: the slice of D that each column of the codec takes.
    """

    centre: np.ndarray
    sd: np.ndarray
    where: tuple[slice, ...]

    @classmethod
    def fit(
        cls, codec: TableCodec, tokens: np.ndarray, numbers: np.ndarray
    ) -> tuple["Coordinates", np.ndarray]:
        """They and the rows `[N, D]` in them; see `of` for the arguments."""
        where = slots(codec)
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
        """`[N, D]` float64, NaN where a token of `tokens [N, L]` is missing.

        Args:
          numbers: `[N, L]` of order one: scores or standardised values. What it holds
            for missing cells and for categories is not looked at.
        """
        x = np.full((len(tokens), len(self.centre)), np.nan)
        for i, (column, slot) in enumerate(zip(codec.columns, self.where)):
            own = tokens[:, i].astype(int)[:, None]
            flags = own == np.arange(slot.stop - slot.start)
            cells = numbers[:, i, None] if column.numeric else flags
            x[:, slot] = np.where(own < codec.num_values, cells, np.nan)
        return (x - self.centre) / self.sd


def slots(codec: TableCodec) -> tuple[slice, ...]:
    """The slice of D that each column takes, see `Coordinates.where`."""
    sizes = [1 if column.numeric else column.coder.size for column in codec.columns]
    ends = np.cumsum(sizes).tolist()
    return tuple(slice(end - size, end) for size, end in zip(sizes, ends))


def factor_em(x: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[D, rank]` and noise `[D]` of rows `[N, D]` with NaN."""
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
        noise = np.maximum(noise, LEAST_NOISE)
    size = (weights**2).sum(axis=1) + noise
    return weights / np.sqrt(size)[:, None], noise / size


def posterior(
    x: np.ndarray, seen: np.ndarray, weights: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean `[N, rank]` and covariance `[N, rank, rank]` of the rows' factors.

    Args:
      x: `[N, D]`, 0 where a cell is missing; seen: `[N, D]`, 1 where it is not.
    """
    rank = weights.shape[1]
    outer = (weights[:, :, None] * weights[:, None, :]).reshape(-1, rank * rank)
    precision = ((seen / noise) @ outer).reshape(-1, rank, rank)
    spread = np.linalg.inv(np.eye(rank) + precision)
    return np.einsum("nrs,ns->nr", spread, (x / noise) @ weights), spread
