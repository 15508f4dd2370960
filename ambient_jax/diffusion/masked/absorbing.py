"""The absorbing (masking) forward kernel and its Bayes reverse step.

All functions are pure. They take uniforms rather than keys, so that the caller decides
whether randomness follows the batch (training) or the row (sampling).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ambient_jax.types import Logits, Positions, Tokens

Uniforms = Float[Array, "B L"]
"""One uniform in [0, 1) per token."""

TINY = 1e-30
"""Smallest divisor: keeps 0 / 0 at 0 where nothing can be revealed any more."""


def hide(z: Tokens, hidden: Positions, mask: int) -> Tokens:
    """Replaces the tokens at `hidden` by MASK and leaves the others unchanged.

    Examples:
      >>> z = jnp.array([[0, 1, 1]])
      >>> hide(z, jnp.array([[True, False, True]]), mask=2)
      Array([[2, 1, 2]], dtype=int32)
    """
    return jnp.where(hidden, jnp.asarray(mask, z.dtype), z)


def forward(u: Uniforms, x: Tokens, alpha: Float[Array, "B 1"], mask: int) -> Tokens:
    """Draws `z_t ~ q(z_t | x) = Cat(alpha(t) x + (1 - alpha(t)) MASK)`.

    Each token stays visible with probability `alpha(t)`, independently. A token that is
    MASK in `x` (never observed) stays MASK, so with a natural missing rate `m` a token
    is visible with probability `(1 - m) alpha(t)`. For the same reason the kernel
    between two times s < t is `forward` too: `q(z_t | z_s)` has the visibility
    `alpha(t) / alpha(s)`.

    Args:
      u: uniforms in [0, 1).
      x: tokens, 0..V-1 or MASK.
      alpha: visibility `alpha(t)` of each row, in [0, 1].
      mask: the MASK symbol, V.

    Returns:
      Tokens of the shape and type of `x`.

    Examples:
      The last token was never observed, and stays MASK = 2:

      >>> u, x = jnp.array([[0.1, 0.9, 0.1]]), jnp.array([[0, 1, 2]])
      >>> forward(u, x, alpha=jnp.array([[0.5]]), mask=2)
      Array([[0, 2, 2]], dtype=int32)

    References:
      Austin et al. 2021 (arXiv 2107.03006), sec. 3.1 (absorbing state).
    """
    return hide(x, u >= alpha, mask)


def reveal_probability(
    alpha_s: Float[Array, "..."], alpha_t: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Probability that a token masked at `t` is visible at the earlier time `s < t`.

    It is `(alpha_s - alpha_t) / (1 - alpha_t)`, by Bayes' rule on the forward kernel.

    Args:
      alpha_s: visibility at the cleaner time `s`, at least `alpha_t`.
      alpha_t: visibility at the noisier time `t`.

    Returns:
      Probabilities in [0, 1]; 0 where `alpha_t` is 1.

    Examples:
      >>> float(reveal_probability(jnp.float32(0.75), jnp.float32(0.5)))
      0.5

    References:
      Sahoo et al. 2024 (arXiv 2406.07524), eq. 6 (SUBS).
    """
    return (alpha_s - alpha_t) / jnp.maximum(1.0 - alpha_t, TINY)


def reverse_step(
    u: Uniforms,
    z_t: Tokens,
    values: Tokens,
    probability: Float[Array, "..."],
    mask: int,
) -> Tokens:
    """Draws `z_s` given `z_t`, s < t: masked tokens take `values` with `probability`.

    With `values ~ p_theta(x0 | z_t)` this is the reverse step of the model,
    `p_theta(z_s | z_t)`. With the values of the data it is the Bayes posterior
    `q(z_s | z_t, x)`. Visible tokens never change.

    Args:
      u: uniforms in [0, 1).
      z_t: tokens at the noisier time.
      values: the value that each masked token takes if it is revealed; a value that is
        MASK (unknown) leaves it masked.
      probability: see `reveal_probability`; broadcast against `z_t`.
      mask: the MASK symbol, V.

    Returns:
      Tokens of the shape and type of `z_t`.

    Examples:
      >>> z, values = jnp.array([[2, 2, 1]]), jnp.array([[0, 1, 0]])
      >>> u = jnp.array([[0.2, 0.8, 0.2]])
      >>> reverse_step(u, z, values, probability=jnp.float32(0.5), mask=2)
      Array([[0, 2, 1]], dtype=int32)

    References:
      Sahoo et al. 2024 (arXiv 2406.07524), eq. 6 (SUBS).
    """
    reveal = (z_t == mask) & (u < probability)
    return jnp.where(reveal, values.astype(z_t.dtype), z_t)


def draw_values(u: Uniforms, logits: Logits) -> Int[Array, "B L"]:
    """Draws `x0 ~ p(x0 | z)` by inverting the cumulative distribution, in float32.

    It takes one uniform per token, whatever V is. It never returns MASK, nor a value
    whose probability is exactly zero.

    Args:
      u: uniforms in [0, 1).
      logits: logits over the V values, of any float type; they are cast to float32.

    Returns:
      int32 values in 0..V-1.

    Examples:
      >>> logits = jnp.log(jnp.array([[[0.25, 0.75]]]))
      >>> [int(draw_values(jnp.array([[u]]), logits)[0, 0]) for u in (0.2, 0.3)]
      [0, 1]
    """
    p = jax.nn.softmax(logits.astype(jnp.float32), axis=-1)
    cdf = jnp.cumsum(p, axis=-1)
    threshold = u.astype(jnp.float32)[..., None] * cdf[..., -1:]
    return jnp.sum(cdf[..., :-1] <= threshold, axis=-1, dtype=jnp.int32)
