"""A low-rank Gaussian of continuous rows, fitted to the observed cells by EM."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ambient_jax.priors.closed_form import ClosedFormPrior
from ambient_jax.types import Params, RootKey, RowKeys, Values

PORTION = 2**22
"""Numbers of the rows' posterior moments that are held at once, on the host."""

MIN_VARIANCE = 1e-6
"""Minimum noise variance, as a share of the mean variance of a cell."""


class Fit(NamedTuple):
    """A fitted Gaussian `x = mean + weights z + noise e`, z and e standard normal.

    Attributes:
      mean: `[L]`.
      weights: `[L, R]`.
      variance: of the noise, above 0.
      history: mean log-likelihood of the observed cells of a row, in nats, before each
        iteration.
    """

    mean: np.ndarray
    weights: np.ndarray
    variance: float
    history: list[float]

    @property
    def covariance(self) -> np.ndarray:
        """`[L, L]`, that of the rows."""
        own = np.eye(len(self.mean)) * self.variance
        return self.weights @ self.weights.T + own


def fit_gaussian(rows: np.ndarray, rank: int, iterations: int) -> Fit:
    """Fits probabilistic principal components to rows with missing cells by EM.

    The missing cells are integrated out: each iteration raises the likelihood of the
    observed ones, up to rounding. A rank of L - 1 is a Gaussian without restriction.

    Args:
      rows: `[N, L]`, NaN where a cell is missing; every column has an observed cell.
      rank: R, at least 1.
      iterations: of EM.

    References:
      Tipping & Bishop 1999 (J. R. Stat. Soc. B 61, 611), with the E-step of each row on
      its observed cells, which is where Rozet et al. 2024 (arXiv 2405.13712) start.
    """
    seen = ~np.isnan(rows)
    x, mean = np.where(seen, rows, 0.0).astype(np.float64), np.nanmean(rows, axis=0)
    spread = float(np.nanmean((rows - mean) ** 2))
    weights = _start(np.where(seen, x - mean, 0.0), rank)
    variance, history = max(spread / 2, MIN_VARIANCE), []
    for _ in range(iterations):
        total = _moments(x, seen, mean, weights, variance)
        history.append(total.nats / len(x))
        ridge = np.eye(rank + 1) * 1e-12
        solved = np.linalg.solve(total.second + ridge, total.cross[..., None])[..., 0]
        weights, mean = solved[:, :-1], solved[:, -1]
        rest = total.square - 2 * np.sum(solved * total.cross, axis=1)
        rest += np.einsum("dr,drs,ds->d", solved, total.second, solved)
        variance = max(rest.sum() / seen.sum(), MIN_VARIANCE * max(spread, 1e-12))
    return Fit(mean, weights, float(variance), history)


def _start(filled: np.ndarray, rank: int) -> np.ndarray:
    """Returns weights `[L, R]` along the principal axes of mean-filled rows."""
    values, vectors = np.linalg.eigh(filled.T @ filled / len(filled))
    values, vectors = values[::-1][:rank], vectors[:, ::-1][:, :rank]
    pad = rank - values.shape[0]
    scaled = vectors * np.sqrt(np.maximum(values, 1e-6))
    return np.pad(scaled, ((0, 0), (0, pad)), constant_values=1e-3)


class _Moments(NamedTuple):
    """Sums over the rows in which a cell is observed; `z~ = (z, 1)`."""

    second: np.ndarray  # [L, R + 1, R + 1] of E[z~ z~^T]
    cross: np.ndarray  # [L, R + 1] of x E[z~]
    square: np.ndarray  # [L] of x^2
    nats: float  # log-likelihood of all observed cells


def _moments(x, seen, mean, weights, variance) -> _Moments:
    length, rank = weights.shape
    second = np.zeros((length, rank + 1, rank + 1))
    cross, nats = np.zeros((length, rank + 1)), 0.0
    outer = (weights[:, :, None] * weights[:, None, :]).reshape(length, -1)
    portion = max(1, PORTION // (rank + 1) ** 2)
    for begin in range(0, len(x), portion):
        own, known = x[begin : begin + portion], seen[begin : begin + portion]
        centred = np.where(known, own - mean, 0.0)
        inner = (known @ outer).reshape(-1, rank, rank) + variance * np.eye(rank)
        pulled = centred @ weights
        solved = np.linalg.solve(inner, pulled[..., None])[..., 0]
        z = np.concatenate([solved, np.ones((len(own), 1))], axis=1)
        moment = z[:, :, None] * z[:, None, :]
        moment[:, :-1, :-1] += variance * np.linalg.inv(inner)
        second += (known.T.astype(float) @ moment.reshape(len(own), -1)).reshape(
            second.shape
        )
        cross += np.where(known, own, 0.0).T @ z
        count = known.sum(axis=1)
        log_det = np.linalg.slogdet(inner)[1] + (count - rank) * np.log(variance)
        distance = (np.sum(centred**2, axis=1) - np.sum(pulled * solved, axis=1)) / (
            variance
        )
        nats -= 0.5 * np.sum(log_det + distance + count * np.log(2 * np.pi))
    return _Moments(second, cross, np.sum(x**2 * seen, axis=0), float(nats))


@dataclass(frozen=True, kw_only=True)
class GaussianPrior(ClosedFormPrior):
    """A low-rank Gaussian (`family.Prior`), fitted when it is initialised.

    Attributes:
      rank: R, at least 1; at most L - 1 is used.
      iterations: of EM.

    Raises:
      ValueError: `rank` or `iterations` is below 1.

    References:
      Rozet et al. 2024 (arXiv 2405.13712): rank 64 and 16 iterations on CIFAR-10.
    """

    rank: int = 64
    iterations: int = 16

    def __post_init__(self) -> None:
        if self.rank < 1 or self.iterations < 1:
            raise ValueError(
                "rank and iterations must be at least 1, got "
                f"{self.rank}, {self.iterations}"
            )

    def init(self, rows: np.ndarray, key: RootKey) -> Params:
        """Returns the fitted mean, weights and standard deviation of the noise."""
        rank = max(1, min(self.rank, rows.shape[1] - 1))
        fit = fit_gaussian(rows, rank, self.iterations)
        found = (fit.mean, fit.weights, np.sqrt(fit.variance))
        mean, weights, sd = (jnp.asarray(part, jnp.float32) for part in found)
        return {"mean": mean, "weights": weights, "sd": sd}

    def nats(self, components: Params, rows: Values) -> Float[Array, " B"]:
        """Returns `-log p(observed cells)` of each row, in nats."""
        posterior = _posterior(components, rows)
        count, rank = posterior.seen.sum(axis=1), posterior.root.shape[-1]
        variance = components["sd"] ** 2
        log_det = 2.0 * jnp.sum(
            jnp.log(jnp.diagonal(posterior.root, axis1=1, axis2=2)), axis=1
        ) + (count - rank) * jnp.log(variance)
        distance = (
            jnp.sum(posterior.centred**2, axis=1)
            - jnp.sum(posterior.pulled * posterior.mean, axis=1)
        ) / variance
        return 0.5 * (log_det + distance + count * jnp.log(2 * jnp.pi))

    def draw(
        self, components: Params, rows: Array, keys: RowKeys, schedule: tuple
    ) -> Array:
        """Returns `[B, L]` exact draws of the missing cells given the observed ones."""
        posterior = _posterior(components, rows)
        length, rank = components["weights"].shape

        def normals(key):
            return jax.random.normal(key, (length + rank,))

        noise = jax.vmap(normals)(keys)
        # The covariance of z is variance * inner^-1, with inner = root root^T.
        turned = jax.scipy.linalg.solve_triangular(
            posterior.root, noise[:, length:, None], trans=1, lower=True
        )[..., 0]
        z = posterior.mean + components["sd"] * turned
        drawn = components["mean"][None] + z @ components["weights"].T
        drawn = drawn + components["sd"] * noise[:, :length]
        return jnp.where(jnp.isnan(rows), drawn, rows)


class _Posterior(NamedTuple):
    """Of the factors z of each row, given its observed cells."""

    seen: Float[Array, "B L"]
    centred: Float[Array, "B L"]
    pulled: Float[Array, "B R"]  # W^T (x - mean) over the observed cells
    root: Float[Array, "B R R"]  # Cholesky factor of W^T W + variance I, likewise
    mean: Float[Array, "B R"]


def _posterior(components: Params, rows: Values) -> _Posterior:
    weights, variance = components["weights"], components["sd"] ** 2
    seen = (~jnp.isnan(rows)).astype(jnp.float32)
    centred = jnp.where(seen > 0, rows - components["mean"][None], 0.0)
    inner = jnp.einsum("bl,lr,ls->brs", seen, weights, weights)
    inner = inner + (variance * jnp.eye(weights.shape[1]))[None]
    root, pulled = jnp.linalg.cholesky(inner), centred @ weights
    mean = jax.scipy.linalg.cho_solve((root, True), pulled[..., None])[..., 0]
    return _Posterior(seen, centred, pulled, root, mean)
