"""Noise levels: their distribution in training, and the grid of a sampler."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Array, Float
from scipy.stats import norm

from ambient_jax.types import RootKey, Sigmas

MARGIN = 1e-5
"""Quantiles closer to 0 or 1 than this are not drawn; their levels are not finite."""


@dataclass(frozen=True, kw_only=True)
class LogNormal:
    """The noise levels that training sees: `ln sigma ~ N(mean, sd^2)`.

    Attributes:
      mean, sd: of `ln sigma`; `sd` is above 0.

    Raises:
      ValueError: `sd` is not above 0.

    References:
      Karras et al. 2022 (arXiv 2206.00364), table 1.
    """

    mean: float = -1.2
    sd: float = 1.2

    def __post_init__(self) -> None:
        if not self.sd > 0:
            raise ValueError(f"sd must be above 0, got {self.sd}")

    def draw(self, key: RootKey, num_rows: int, low: float = 0.0) -> Sigmas:
        """Draws one level per row, spread evenly over the quantiles.

        Row b has the quantile `(u + b/B) mod 1`. One uniform offset u serves the batch,
        which keeps the loss unbiased and lowers its variance.

        Args:
          key: one key for the batch.
          num_rows: B.
          low: levels are drawn given that they lie above this, at least 0.
        """
        start = 0.0
        if low > 0:
            start = float(norm.cdf((np.log(low) - self.mean) / self.sd))
        u = jax.random.uniform(key) + jnp.arange(num_rows) / num_rows
        quantile = start + (1.0 - start) * jnp.mod(u, 1.0)[:, None]
        quantile = jnp.clip(quantile, max(start, MARGIN), 1.0 - MARGIN)
        return jnp.maximum(jnp.exp(self.mean + self.sd * ndtri(quantile)), low)


def log_uniform(key: RootKey, num_rows: int, low: float, high: float) -> Sigmas:
    """Draws one level per row, log-uniform between `low` and `high`, both above 0."""
    u = jax.random.uniform(key, (num_rows, 1))
    return jnp.exp(jnp.log(low) + u * (jnp.log(high) - jnp.log(low)))


def grid(
    num_steps: int, sigma_min: float, sigma_max: float, rho: float
) -> Float[Array, " K"]:
    """Returns the `num_steps + 1` levels of a sampler, from `sigma_max` down to 0.

        sigma_i = (max^(1/rho) + i / (n-1) (min^(1/rho) - max^(1/rho)))^rho,  i < n

    Args:
      num_steps: n, at least 1; with 1 the only level above 0 is `sigma_max`.
      sigma_min, sigma_max: the last and the first level above 0.
      rho: how much the steps shorten towards 0; 7 in EDM.

    References:
      Karras et al. 2022 (arXiv 2206.00364), eq. 5.
    """
    share = jnp.linspace(0.0, 1.0, num_steps)
    first, last = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return jnp.append((first + share * (last - first)) ** rho, 0.0)
