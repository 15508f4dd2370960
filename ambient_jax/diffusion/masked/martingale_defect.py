"""The martingale defect: how far predictions are from those of one joint distribution.

It is the evaluation's counterpart of the consistency loss, at fixed times.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.consistency import martingale_products
from ambient_jax.diffusion.masked.sampling import denoise_mask, row_uniforms
from ambient_jax.types import Denoise, RowKeys, Tokens

NOISIER_TIMES = (0.2, 0.4, 0.6, 0.8)
"""Times t at which the defect is measured, evenly spaced in (0, 1)."""

PASSES = 3 * len(NOISIER_TIMES)
"""Forward passes of one estimate."""

GAP = 0.1
"""Distance `t - s` to the cleaner time: small, because tokens that are revealed at once
from factorised marginals are not a sample of their joint."""


def martingale_defect(denoise: Denoise, x: Tokens, keys: RowKeys) -> Float[Array, " B"]:
    """Estimates the mean squared defect of the martingale property of each row.

    At each time t of `NOISIER_TIMES` and s = t - `GAP`, under the linear schedule, it
    estimates `|| E p(.|z_s) - p(.|z_t) ||^2` without bias from two draws of `z_s`, and
    averages it over the tokens that are still masked at s. The expectation is zero for
    a model whose predictions are the conditionals of one joint distribution, up to the
    error of tokens that are revealed together.

    Args:
      denoise: the network under fixed parameters; it is called three times per time.
      x: complete rows of tokens.
      keys: one key per row.

    Returns:
      Squared probability per token, averaged over times; it may be negative by chance.

    References:
      Daras et al. 2023 (arXiv 2302.09057): consistency as a martingale property.
    """
    mask = denoise_mask(denoise, x)

    def at(_, index_and_t):
        index, t = index_and_t
        (hide, where), (one, two) = (
            row_uniforms(keys, 2 * index + half, x.shape[1]) for half in (0, 1)
        )
        z_t = absorbing.hide(x, hide < t, mask)
        logits = denoise(z_t)

        def cleaner(u):
            values = absorbing.draw_values(u, logits)
            return absorbing.reverse_step(where, z_t, values, GAP / t, mask)

        z_1, z_2 = cleaner(one), cleaner(two)
        products = martingale_products(denoise(z_1), denoise(z_2), logits, "none")
        masked = z_1 == mask
        total = jnp.sum(jnp.where(masked, products, 0.0), axis=-1)
        return None, total / jnp.maximum(jnp.sum(masked, axis=-1), 1)

    steps = (jnp.arange(len(NOISIER_TIMES)), jnp.asarray(NOISIER_TIMES))
    return jnp.mean(jax.lax.scan(at, None, steps)[1], axis=0)
