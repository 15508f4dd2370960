"""The reverse process of EDM: Heun's method with churn, as one compiled loop.

Keys follow the row: the draw of a row depends on its key and its cells, but neither on
the batch that it is in nor on the device that holds it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ambient_jax.diffusion.gaussian.levels import grid
from ambient_jax.types import Estimate, RowKeys, Sigmas, Values

MAX_CHURN = float(np.sqrt(2.0) - 1.0)
"""Maximum relative increase of a noise level by churn."""


def row_normals(keys: RowKeys, step: Array | int, length: int) -> Values:
    """Draws a standard normal number per cell for one step of a loop.

    Args:
      keys: one key per row.
      step: index of the step; other steps have independent numbers.
      length: L.
    """

    def one_row(key):
        return jax.random.normal(jax.random.fold_in(key, step), (length,))

    return jax.vmap(one_row)(keys)


@dataclass(frozen=True, kw_only=True)
class EdmSampler:
    """Settings of the reverse process.

    Attributes:
      num_steps: steps from `sigma_max` to 0, at least 1.
      sigma_min, sigma_max: last and first level above 0. The last step, from
        `sigma_min` to 0, returns the estimate at `sigma_min`. A model of noisy data
        that knows no level below theirs has it for `sigma_min`.
      rho: of the grid, see `levels.grid`.
      churn: S_churn, at least 0; noise is added to the levels between `churn_min` and
        `churn_max` and removed again. 0 is the deterministic sampler.
      churn_min, churn_max, churn_noise: S_tmin, S_tmax, S_noise.
      heun: whether a step corrects its slope by that at its end, at the cost of a
        second call; otherwise it is a step of Euler.

    Raises:
      ValueError: a value lies outside its range.

    References:
      Karras et al. 2022 (arXiv 2206.00364), algorithms 1 and 2.
    """

    num_steps: int = 18
    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0
    churn: float = 0.0
    churn_min: float = 0.0
    churn_max: float = float("inf")
    churn_noise: float = 1.0
    heun: bool = True

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {self.num_steps}")
        if not 0 < self.sigma_min <= self.sigma_max or not self.rho > 0:
            raise ValueError(
                "0 < sigma_min <= sigma_max and rho > 0 must hold, got "
                f"{self.sigma_min}, {self.sigma_max}, {self.rho}"
            )
        if not self.churn >= 0:
            raise ValueError(f"churn must not be below 0, got {self.churn}")

    @property
    def levels(self) -> Float[Array, " K"]:
        """The `num_steps + 1` noise levels, from `sigma_max` to 0."""
        return grid(self.num_steps, self.sigma_min, self.sigma_max, self.rho)

    @property
    def passes(self) -> int:
        """Number of forward passes that one draw costs."""
        return self.num_steps * (2 if self.heun else 1)

    def step(
        self,
        estimate: Estimate,
        x: Values,
        sigma: Float[Array, ""],
        lower: Float[Array, ""],
        noise: Values,
    ) -> Values:
        """Moves rows from the level `sigma` to the level `lower`.

        Args:
          estimate: `(x, sigma) -> E[x_0 | x]`, given whatever else is known.
          x: rows at `sigma`.
          sigma, lower: levels, `0 <= lower < sigma`.
          noise: standard normal numbers, for churn.
        """
        raised = sigma
        if self.churn > 0:  # otherwise the compiler leaves the numbers undrawn
            inside = (sigma >= self.churn_min) & (sigma <= self.churn_max)
            gamma = min(self.churn / self.num_steps, MAX_CHURN) * inside
            raised = sigma * (1.0 + gamma)
            added = jnp.sqrt(jnp.maximum(raised**2 - sigma**2, 0.0))
            x = x + added * self.churn_noise * noise
        slope = (x - estimate(x, _each(raised, x))) / raised
        moved = x + (lower - raised) * slope
        if not self.heun:
            return moved
        safe = jnp.where(lower > 0, lower, raised)  # the last step is one of Euler
        after = (moved - estimate(moved, _each(safe, x))) / safe
        corrected = x + (lower - raised) * (slope + after) / 2.0
        return jnp.where(lower > 0, corrected, moved)


def _each(sigma: Float[Array, ""], x: Values) -> Sigmas:
    return jnp.full((len(x), 1), sigma)


def draw(
    estimate: Estimate,
    start: Values,
    keys: RowKeys,
    sampler: EdmSampler,
    after: Callable[[Values, Array, Array], Values] | None = None,
) -> Values:
    """Runs the reverse process from rows at `sigma_max` to clean rows.

    Args:
      estimate: `(x, sigma) -> E[x_0 | x]`; given observed cells it makes the draw
        conditional on them, see `posterior.posterior_estimate`.
      start: rows at the level `sampler.sigma_max`.
      keys: one key per row.
      sampler: the levels and the method.
      after: `(x, level, index) -> x`, called after each step; None: nothing is.
    """
    levels = sampler.levels

    def step(x, i):
        noise = row_normals(keys, i + 1, x.shape[1])
        x = sampler.step(estimate, x, levels[i], levels[i + 1], noise)
        return x if after is None else after(x, levels[i + 1], i), None

    return jax.lax.scan(step, start, jnp.arange(sampler.num_steps))[0]


def generate(
    estimate: Estimate, keys: RowKeys, length: int, sampler: EdmSampler
) -> Values:
    """Draws new rows `[B, L]`, one for each key."""
    start = sampler.sigma_max * row_normals(keys, 0, length)
    return draw(estimate, start, keys, sampler)
