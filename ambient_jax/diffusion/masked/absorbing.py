"""The absorbing (masking) forward kernel and its Bayes reverse step.

All functions are pure; randomness comes in as uniforms, so that the caller decides
whether keys follow the batch (training) or the row (sampling).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ambient_jax.types import Logits, Positions, Tokens

Uniforms = Float[Array, "B L"]


def hide(z: Tokens, hidden: Positions, mask: int) -> Tokens:
    """Replaces the tokens at `hidden` by MASK; the others stay."""
    return jnp.where(hidden, jnp.asarray(mask, z.dtype), z)


def forward(u: Uniforms, x: Tokens, alpha: Float[Array, "B 1"], mask: int) -> Tokens:
    """Draws `z_t ~ q(z_t | x)`: each token stays with probability `alpha(t)`.

    A token that is MASK in `x` (never observed) stays MASK, so with a natural missing
    rate `m` a token is visible with probability `(1 - m) alpha(t)`.

    Args:
      u: uniforms in [0, 1).
      x: tokens, 0..V-1 or MASK.
      alpha: visibility `alpha(t)` of each row.
      mask: the MASK symbol, V.

    References:
      Austin et al. 2021 (arXiv 2107.03006), sec. 3.1 (absorbing state).
    """
    return hide(x, u >= alpha, mask)


def forward_step(
    u: Uniforms,
    z_s: Tokens,
    alpha_s: Float[Array, "B 1"],
    alpha_t: Float[Array, "B 1"],
    mask: int,
) -> Tokens:
    """Draws `z_t ~ q(z_t | z_s)`, s < t: keeps a visible token with `alpha_t/alpha_s`.

    The masks are nested: what is masked in `z_s` is masked in `z_t`.
    """
    keep = jnp.where(alpha_s > 0, alpha_t / jnp.maximum(alpha_s, 1e-30), 0.0)
    return hide(z_s, u >= keep, mask)


def reveal_probability(
    alpha_s: Float[Array, "..."], alpha_t: Float[Array, "..."]
) -> Float[Array, "..."]:
    """`(alpha_s - alpha_t) / (1 - alpha_t)`: a masked token is revealed in t -> s < t.

    References:
      Sahoo et al. 2024 (arXiv 2406.07524), eq. 6 (SUBS); Bayes' rule on the kernel.
    """
    return (alpha_s - alpha_t) / jnp.maximum(1.0 - alpha_t, 1e-30)


def reverse_step(
    u: Uniforms,
    z_t: Tokens,
    values: Tokens,
    probability: Float[Array, "..."],
    mask: int,
) -> Tokens:
    """One Bayes reverse step t -> s: masked tokens take `values` with `probability`.

    With `values ~ p_theta(x0 | z_t)` it is the model's own step; with the data's values
    it is the posterior `q(z_s | z_t, x)`. A visible token never changes. A value that
    is MASK (unknown) leaves the token masked.
    """
    reveal = (z_t == mask) & (u < probability)
    return jnp.where(reveal, values.astype(z_t.dtype), z_t)


def draw_values(u: Uniforms, logits: Logits) -> Int[Array, "B L"]:
    """Draws `x0 ~ p(x0 | z)` by inverting the cumulative distribution, in float32.

    One uniform per token, whatever V is. Never returns MASK, nor a value whose
    probability is exactly zero.

    Args:
      u: uniforms in [0, 1).
      logits: float logits over the V values; cast to float32.
    """
    p = jax.nn.softmax(logits.astype(jnp.float32), axis=-1)
    cdf = jnp.cumsum(p, axis=-1)
    threshold = u.astype(jnp.float32)[..., None] * cdf[..., -1:]
    return jnp.sum(cdf[..., :-1] <= threshold, axis=-1, dtype=jnp.int32)
