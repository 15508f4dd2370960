"""The consistency loss of Gaussian diffusion: estimates along a trajectory agree.

`h(x_t) = E[x_0 | x_t]` is a martingale of the reverse process: `h(x_t)` is the mean of
`h(x_s)` over `x_s ~ p(x_s | x_t)`, for every lower level s. Two independent draws of
`x_s` estimate the squared defect of that without bias. The martingale form of
`diffusion/masked/consistency.py` is this loss carried over to tokens.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ambient_jax.types import Estimate, RootKey, Sigmas, Values

Side = Literal["cleaner", "noisier", "none"]


def reverse_draw(
    x: Values, estimate: Values, sigma: Sigmas, lower: Sigmas, noise: Values
) -> Values:
    """Draws `x_s` from `q(x_s | x_t, x_0 = estimate)`, the Bayes reverse step.

        x_s ~ N(x_t + (1 - s^2/t^2) (h - x_t), s^2 (t^2 - s^2) / t^2)

    For a small step it is a draw from `p(x_s | x_t)`. Its mean is that of
    `p(x_s | x_t)` for any step.

    Args:
      x: rows at the level `sigma` (t).
      estimate: `h(x, sigma)`.
      sigma, lower: levels of each row, `0 <= lower <= sigma` (s and t).
      noise: standard normal numbers.

    References:
      Song et al. 2021 (arXiv 2011.13456), appendix F, for variance-exploding noise.
    """
    share = (lower / sigma) ** 2
    mean = x + (1.0 - share) * (estimate - x)
    return mean + lower * jnp.sqrt(jnp.maximum(1.0 - share, 0.0)) * noise


def martingale_products(
    at_t: Values, first: Values, second: Values, stop: Side
) -> Float[Array, "B L"]:
    """Products `(h(x_s1) - h(x_t)) (h(x_s2) - h(x_t))` of each cell.

    Their mean over two independent draws is the squared defect
    `(E h(x_s) - h(x_t))^2`; a single product may be negative.

    Args:
      at_t: the estimate at the noisier level.
      first, second: the estimates at two independent draws of the cleaner level.
      stop: the side that gets no gradient.

    References:
      Daras et al. 2024 (arXiv 2404.10177).
    """
    if stop == "noisier":
        at_t = jax.lax.stop_gradient(at_t)
    if stop == "cleaner":
        first, second = jax.lax.stop_gradient((first, second))
    return (first - at_t) * (second - at_t)


def martingale_defect(
    estimate: Estimate, x: Values, sigma: Sigmas, lower: Sigmas, key: RootKey,
    stop: Side = "none",
) -> Float[Array, "B L"]:  # fmt: skip
    """Estimates the squared martingale defect of each cell between two levels.

    Args:
      estimate: the network under its parameters; it is called three times. The draws
        of `x_s` carry no gradient.
      x: rows at the level `sigma`.
      sigma, lower: levels of each row, `0 < lower < sigma`.
      key: of the two draws.
      stop: see `martingale_products`.

    Returns:
      The products; their expectation is 0 for `h(x) = E[x_0 | x]`.
    """
    at_t = estimate(x, sigma)
    fixed = jax.lax.stop_gradient(at_t)
    first, second = (
        estimate(
            reverse_draw(x, fixed, sigma, lower, jax.random.normal(k, x.shape)), lower
        )
        for k in jax.random.split(key)
    )
    return martingale_products(at_t, first, second, stop)


def descend(
    estimate: Estimate, x: Values, sigma: Sigmas, lower: Sigmas, steps: int,
    key: RootKey,
) -> Values:  # fmt: skip
    """Draws rows at `lower` from rows at `sigma`, in geometric steps of the model.

    No gradient flows through it.

    Args:
      estimate: the network under its parameters; it is called `steps` times.
      x: rows at the level `sigma`.
      sigma, lower: levels of each row, `0 < lower <= sigma`.
      steps: at least 1.
      key: of the draws.
    """
    ratio = (lower / sigma) ** (1.0 / steps)

    def step(carry, key):
        x, level = carry
        noise = jax.random.normal(key, x.shape)
        next_level = level * ratio
        return (
            reverse_draw(x, estimate(x, level), level, next_level, noise),
            next_level,
        ), None

    keys = jax.random.split(key, steps)
    return jax.lax.stop_gradient(jax.lax.scan(step, (x, sigma), keys)[0][0])
