"""A Gaussian in six dimensions, and the denoiser that knows it exactly."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

LENGTH = 6


def truth(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A mean of order .3, and a covariance with correlations and variances of 1/4."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(LENGTH, 2))
    sigma = factor @ factor.T + 0.2 * np.eye(LENGTH)
    sd = np.sqrt(np.diag(sigma))
    return 0.3 * rng.normal(size=LENGTH), 0.25 * sigma / np.outer(sd, sd)


MEAN, SIGMA = truth()


def rows(n: int, seed: int = 1) -> np.ndarray:
    """`[n, 6]` float32 draws."""
    rng = np.random.default_rng(seed)
    return rng.multivariate_normal(MEAN, SIGMA, size=n).astype(np.float32)


def with_holes(x: np.ndarray, rate: float, seed: int = 2) -> np.ndarray:
    """A copy with NaN in a random share of the cells."""
    hidden = np.random.default_rng(seed).random(x.shape) < rate
    return np.where(hidden, np.float32(np.nan), x)


def exact(x, sigma):
    """`E[x_0 | x] = mean + Sigma (Sigma + sigma^2 I)^-1 (x - mean)`."""
    return linear(jnp.asarray(MEAN, jnp.float32), jnp.asarray(SIGMA, jnp.float32))(
        x, sigma
    )


def linear(mean, covariance):
    """The denoiser of N(mean, covariance), by its eigenvectors."""
    values, vectors = jnp.linalg.eigh(covariance)

    def estimate(x, sigma):
        turned = (x - mean[None]) @ vectors
        share = values[None] / (values[None] + sigma**2)
        return mean[None] + (share * turned) @ vectors.T

    return estimate


@dataclass(frozen=True)
class Beside:
    """The exact denoiser plus `params` times a direction: 0 is the truth.

    `kind`: an offset in every cell, one that is proportional to the level, a wrong
    gain, or a rotation of two cells.
    """

    kind: str = "offset"
    length: int = LENGTH

    def init(self, key):
        return jnp.zeros(())

    def direction(self, x, sigma):
        if self.kind == "offset":
            return 0.1 * jnp.ones_like(x)
        if self.kind == "level":
            return sigma * jnp.ones_like(x)
        if self.kind == "gain":
            return 0.3 * (x - MEAN[None].astype(np.float32)) / (1 + sigma**2)
        return 0.3 * jnp.roll(x, 1, axis=1) / (1 + sigma**2)

    def apply(self, params, x, sigma, visible=None):
        return exact(x, sigma) + params * self.direction(x, sigma)


@dataclass(frozen=True)
class Linear:
    """A trainable denoiser of a Gaussian: its mean, and a factor of its covariance."""

    length: int = LENGTH

    def init(self, key):
        return {
            "mean": jnp.zeros(self.length),
            "root": 0.5 * jnp.eye(self.length),
        }

    def apply(self, params, x, sigma, visible=None):
        covariance = self.covariance(params)
        inner = covariance[None] + sigma[:, :, None] ** 2 * jnp.eye(self.length)[None]
        rest = (x - params["mean"][None])[..., None]
        solved = jnp.linalg.solve(inner, rest)[..., 0]
        return params["mean"][None] + solved @ covariance

    @staticmethod
    def covariance(params):
        return params["root"] @ params["root"].T


def conditional(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the missing cells of a row given its observed ones."""
    hidden = np.isnan(row)
    given, own = SIGMA[np.ix_(~hidden, ~hidden)], SIGMA[np.ix_(hidden, ~hidden)]
    gain = own @ np.linalg.inv(given)
    mean = MEAN[hidden] + gain @ (row[~hidden] - MEAN[~hidden])
    return mean, SIGMA[np.ix_(hidden, hidden)] - gain @ own.T
