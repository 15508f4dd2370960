"""Draws of missing cells given observed ones, by moment matching.

A denoiser of complete rows becomes one of rows whose observed cells are known: Bayes'
rule for the Gaussian with the mean `h` and the covariance `V = sigma^2 dh/dx` that
Tweedie's formula gives `x_0 | x_t`. For Gaussian data it is exact.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from ambient_jax.diffusion.gaussian import sampling
from ambient_jax.diffusion.gaussian.completer import FreshCompleter
from ambient_jax.diffusion.gaussian.sampling import EdmSampler
from ambient_jax.types import Estimate, RowKeys, Sigmas, Values

TINY = 1e-20
"""Replaces a denominator of 0 once conjugate gradients have converged."""


def conjugate_gradients(
    product: Callable[[Values], Values], b: Values, iterations: int, floor: float = 0.0
) -> Values:
    """Solves `M v = b` for each row, from `v = 0`, by conjugate gradients.

    Args:
      product: `v -> M v`, where M is symmetric and positive definite for each row.
      b: `[B, L]`.
      iterations: exact up to rounding where it is the rank of M; at least 0.
      floor: lower bound of the eigenvalues of M, at least 0. The Jacobian of a trained
        network is not quite symmetric: a row ends at the first direction in which M
        turns out to be smaller, since a step along it could be arbitrarily long.
    """

    def dot(a: Values, c: Values) -> Sigmas:
        return jnp.sum(a * c, axis=-1, keepdims=True)

    def step(carry, _):
        v, rest, direction, size, going = carry
        moved = product(direction)
        curvature = dot(direction, moved)
        going = going & (
            curvature > jnp.maximum(floor * dot(direction, direction), TINY)
        )
        length = jnp.where(going, size / jnp.maximum(curvature, TINY), 0.0)
        v, rest = v + length * direction, rest - length * moved
        new = dot(rest, rest)
        direction = rest + new / jnp.maximum(size, TINY) * direction
        return (v, rest, direction, new, going), None

    size = dot(b, b)
    start = (jnp.zeros_like(b), b, b, size, size > 0)
    return jax.lax.scan(step, start, length=iterations)[0][0]


def posterior_estimate(
    estimate: Estimate, values: Values, observed: Bool[Array, "B L"], noise: float,
    iterations: int,
) -> Estimate:  # fmt: skip
    """Returns `(x, sigma) -> E[x_0 | x, y]` for observations `y = A x_0 + noise n`.

        (noise^2 I + A V A^T) v = y - A h,    x_post = h + sigma^2 (dh/dx)^T A^T v

    with `V = sigma^2 dh/dx`, by conjugate gradients on Jacobian-vector products.

    Args:
      estimate: `h`, differentiable.
      values: observed cells; others may hold anything finite.
      observed: which cells are observed: A picks them.
      noise: standard deviation of the observations, above 0; it bounds the condition
        of the equations.
      iterations: of conjugate gradients.

    References:
      Rozet et al. 2024 (arXiv 2405.13712), sec. 4.2.
    """
    seen = observed.astype(jnp.float32)

    def given(x: Values, sigma: Sigmas) -> Values:
        h, forward = jax.linearize(lambda x: estimate(x, sigma), x)
        backward = jax.linear_transpose(forward, x)

        def product(v: Values) -> Values:
            return noise**2 * v + seen * sigma**2 * forward(seen * v)

        rest = seen * (values - h)
        v = conjugate_gradients(product, rest, iterations, floor=0.5 * noise**2)
        return h + sigma**2 * backward(seen * v)[0]

    return given


@dataclass(frozen=True, kw_only=True)
class PosteriorCompleter(FreshCompleter):
    """Draws missing cells by moment matching (`family.Completer`).

    Each E-step draws all missing cells afresh.

    Attributes:
      sampler: the reverse process.
      noise: standard deviation of the observations that the draw assumes, above 0.
      iterations: of conjugate gradients, at least 1. Rozet et al. take 1 on CIFAR-10,
        3 on MRI; more are exact for exact denoisers, but less stable for networks.

    Raises:
      ValueError: a value lies outside its range.
    """

    sampler: EdmSampler = EdmSampler()
    noise: float = 0.01
    iterations: int = 1

    def __post_init__(self) -> None:
        if not self.noise > 0 or self.iterations < 1:
            raise ValueError(
                "noise must be above 0 and iterations at least 1, got "
                f"{self.noise}, {self.iterations}"
            )

    def complete(
        self, denoise: Estimate, values: Values, observed: Bool[Array, "B L"],
        keys: RowKeys,
    ) -> Values:  # fmt: skip
        """See `FreshCompleter.complete`."""
        given = posterior_estimate(
            denoise, values, observed, self.noise, self.iterations
        )
        length = values.shape[1]
        start = self.sampler.sigma_max * sampling.row_normals(keys, 0, length)
        return sampling.draw(given, start, keys, self.sampler)

    def describe(self, rounds_since_start: int) -> str:
        """The number of steps of a draw."""
        return f"{self.sampler.num_steps} steps, moment matching"
