"""Likelihood estimators: the ELBO by noise level, and the exact chain rule.

Both score a set of positions of each row given its other tokens: all positions for
generation, the missing ones for imputation, the observed ones for validation on data
whose missing values nobody knows. Because the network does not take the time as an
input, the continuous-time ELBO equals the mean over random orders of the chain rule
(Ou et al. 2024, arXiv 2406.03736; Shi et al. 2024, arXiv 2406.04329, sec. 3). The
number `n` of masked tokens can therefore be stratified directly.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.losses import cross_entropy
from ambient_jax.diffusion.masked.sampling import (
    denoise_mask,
    random_ranks,
    row_uniforms,
)
from ambient_jax.types import Denoise, Positions, RowKeys, Tokens


def elbo_by_level(
    denoise: Denoise, x: Tokens, scored: Positions, keys: RowKeys, num_levels: int
) -> Float[Array, "B K"]:
    """Negative ELBO of the scored tokens given the others, by noise level.

    Level k masks `n` of the `S` scored tokens of a row, with `n` uniform on the
    integers of `(k S/K, (k+1) S/K]` (a stratum of `n/S` in (0, 1]). It returns
    `S/n * sum_masked -log p(x_i | visible)`. The mean over levels is an unbiased
    estimate of the mean over orders of `-log p(scored | others)`.

    Args:
      denoise: the network under fixed parameters; it is called K times.
      x: tokens; scored positions must be known (not MASK).
      scored: positions to score.
      keys: one key per row.
      num_levels: number K of levels.

    Returns:
      Nats per row and level; level k stands for the time `(k + 1/2) / K`. Rows with
      nothing to score have zeros.

    References:
      Ou et al. 2024 (arXiv 2406.03736); Shi et al. 2024 (arXiv 2406.04329), sec. 3.
    """
    mask = denoise_mask(denoise, x)
    size = jnp.sum(scored, axis=-1)

    def level(_, k):
        u, v = row_uniforms(keys, k, x.shape[1])
        n = jnp.ceil((k + 1.0 - v[:, 0]) / num_levels * size)
        n = jnp.clip(n, 1, jnp.maximum(size, 1)).astype(jnp.int32)
        hidden = scored & (random_ranks(u, scored) < n[:, None])
        nats = cross_entropy(denoise(absorbing.hide(x, hidden, mask)), x)
        return None, jnp.sum(nats * hidden, axis=-1) * size / n

    levels = jnp.arange(num_levels)
    return jnp.moveaxis(jax.lax.scan(level, None, levels)[1], 0, 1)


def chain_rule(
    denoise: Denoise, x: Tokens, scored: Positions, keys: RowKeys
) -> Float[Array, " B"]:
    """Negative log likelihood `-log p(scored | others)` by the chain rule.

    `sum_i -log p(x_i | others, scored tokens before i)`, in one random order of the
    scored tokens per row. It is the exact likelihood of that order. Its mean over
    orders is the quantity that `elbo_by_level` estimates.

    Args:
      denoise: the network under fixed parameters; it is called L times.
      x: tokens; scored positions must be known (not MASK).
      scored: positions to score.
      keys: one key per row.

    Returns:
      Nats per row; 0 for a row with nothing to score.

    References:
      Ou et al. 2024 (arXiv 2406.03736).
    """
    mask = denoise_mask(denoise, x)
    ranks = random_ranks(row_uniforms(keys, 0, x.shape[1])[0], scored)

    def step(total, i):
        z = absorbing.hide(x, scored & (ranks >= i), mask)
        nats = cross_entropy(denoise(z), x)
        return total + jnp.sum(nats * (scored & (ranks == i)), axis=-1), None

    start = jnp.zeros(x.shape[0], jnp.float32)
    return jax.lax.scan(step, start, jnp.arange(x.shape[1]))[0]
