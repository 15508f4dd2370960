"""Noise schedules: how likely a token is still visible at time `t`.

`alpha(0) = 1` (nothing hidden), `alpha(1) = 0` (all hidden), decreasing in between.
The masked-diffusion ELBO does not depend on the schedule (Sahoo et al. 2024,
arXiv 2406.07524, sec. 3.4); the schedule only decides which contexts training sees
most often and how the reveals of the sampler are spaced.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float

Times = Float[Array, "..."]


@runtime_checkable
class Schedule(Protocol):
    """`alpha` and its derivative on `t` in [0, 1]."""

    def alpha(self, t: Times) -> Times: ...

    def alpha_prime(self, t: Times) -> Times: ...


@dataclass(frozen=True, kw_only=True)
class Linear:
    """`alpha(t) = 1 - t` (MDLM's log-linear noise; every context size alike)."""

    def alpha(self, t: Times) -> Times:
        return 1.0 - t

    def alpha_prime(self, t: Times) -> Times:
        return -jnp.ones_like(t)


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """`alpha(t) = 1 - cos(pi/2 (1 - t))` (MD4, Shi et al. 2024, arXiv 2406.04329)."""

    def alpha(self, t: Times) -> Times:
        return 1.0 - jnp.sin(0.5 * jnp.pi * t)

    def alpha_prime(self, t: Times) -> Times:
        return -0.5 * jnp.pi * jnp.cos(0.5 * jnp.pi * t)


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    """`alpha(t) = 1 - t**power` (MD4). `power` > 0; 1 is linear."""

    power: float = 2.0

    def __post_init__(self):
        if not self.power > 0:
            raise ValueError(f"power must be above 0, got {self.power}")

    def alpha(self, t: Times) -> Times:
        return 1.0 - t**self.power

    def alpha_prime(self, t: Times) -> Times:
        return -self.power * t ** (self.power - 1.0)


def elbo_weight(schedule: Schedule, t: Times) -> Times:
    """`-alpha'(t) / (1 - alpha(t))`: the weight of one masked token at time `t`.

    Args:
      schedule: the schedule.
      t: times in (0, 1]; the weight grows without bound as t goes to 0.

    Returns:
      Positive weights, same shape. For the linear schedule they are `1 / t`.

    References:
      Sahoo et al. 2024 (arXiv 2406.07524), eq. 10; Shi et al. 2024 (2406.04329), eq. 4.
    """
    return -schedule.alpha_prime(t) / (1.0 - schedule.alpha(t))


SCHEDULES = {"linear": Linear, "cosine": Cosine, "polynomial": Polynomial}
