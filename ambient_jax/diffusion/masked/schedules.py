"""Noise schedules: how likely a token is still visible at time `t`.

`alpha(0) = 1` (nothing hidden), `alpha(1) = 0` (all hidden), decreasing in between.
The masked-diffusion ELBO does not depend on the schedule (Sahoo et al. 2024,
arXiv 2406.07524, sec. 3.4); the schedule only decides which contexts training sees
most often. The sampler does not use it: its reveals are equally spaced.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float

Times = Float[Array, "..."]


@runtime_checkable
class Schedule(Protocol):
    """A noise schedule: `alpha` and its derivative on `t` in [0, 1]."""

    def alpha(self, t: Times) -> Times:
        """Probability that a known token is visible at time `t`."""
        ...

    def alpha_prime(self, t: Times) -> Times:
        """Derivative of `alpha` at `t`; negative inside (0, 1)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Linear:
    """`alpha(t) = 1 - t`: every number of visible tokens is equally likely.

    References:
      Sahoo et al. 2024 (arXiv 2406.07524), log-linear noise.
    """

    def alpha(self, t: Times) -> Times:
        return 1.0 - t

    def alpha_prime(self, t: Times) -> Times:
        return -jnp.ones_like(t)


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """`alpha(t) = 1 - cos(pi/2 (1 - t))`.

    References:
      Shi et al. 2024 (arXiv 2406.04329; MD4).
    """

    def alpha(self, t: Times) -> Times:
        return 1.0 - jnp.sin(0.5 * jnp.pi * t)

    def alpha_prime(self, t: Times) -> Times:
        return -0.5 * jnp.pi * jnp.cos(0.5 * jnp.pi * t)


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    """`alpha(t) = 1 - t**power`.

    Attributes:
      power: above 0; 1 is the linear schedule.

    References:
      Shi et al. 2024 (arXiv 2406.04329; MD4).
    """

    power: float = 2.0

    def __post_init__(self):
        if not self.power > 0:
            raise ValueError(f"power must be above 0, got {self.power}")

    def alpha(self, t: Times) -> Times:
        return 1.0 - t**self.power

    def alpha_prime(self, t: Times) -> Times:
        return -self.power * t ** (self.power - 1.0)


def elbo_weight(schedule: Schedule, t: Times) -> Times:
    """Weight of a masked token in the ELBO at time `t`: `-alpha'(t) / (1 - alpha(t))`.

    Args:
      schedule: the schedule.
      t: times in (0, 1]; the weight grows without bound as t goes to 0.

    Returns:
      Positive weights of the shape of `t`. For the linear schedule they are `1 / t`.

    Examples:
      >>> elbo_weight(Linear(), jnp.array([0.25, 1.0]))
      Array([4., 1.], dtype=float32)

    References:
      Sahoo et al. 2024 (arXiv 2406.07524), eq. 10; Shi et al. 2024 (2406.04329), eq. 4.
    """
    return -schedule.alpha_prime(t) / (1.0 - schedule.alpha(t))


SCHEDULES = {"linear": Linear, "cosine": Cosine, "polynomial": Polynomial}
"""The schedules by the name under which a user chooses them."""
