"""The easy loss: cross-entropy on known tokens that the diffusion has masked."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ambient_jax.types import Logits, Tokens

MIN_TOTAL_WEIGHT = 1e-6
"""Smallest divisor of `easy_loss`: a batch without known tokens has loss 0, not NaN."""


def cross_entropy(logits: Logits, x: Tokens) -> Float[Array, "B L"]:
    """Cross-entropy `-log p(x_i | z)` of each token, in nats.

    It is zero, with zero gradient, where the target `x` is MASK (unknown).

    Args:
      logits: predictions `p(x0 | z)`, of any float type; they are cast to float32.
      x: targets, 0..V-1 or MASK.

    Returns:
      Nats per token, at least 0, float32.

    Examples:
      The second token is unknown (MASK = 2) and has no loss:

      >>> cross_entropy(jnp.zeros((1, 2, 2)), jnp.array([[0, 2]])).round(4)
      Array([[0.6931, 0.    ]], dtype=float32)
    """
    num_values = logits.shape[-1]
    logp = jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)
    known = x < num_values
    # MASK is replaced before the look-up, so that the gradient stays finite.
    target = jnp.where(known, x, 0).astype(jnp.int32)
    picked = jnp.take_along_axis(logp, target[..., None], axis=-1)[..., 0]
    return jnp.where(known, -picked, 0.0)


def easy_loss(
    logits: Logits,
    x: Tokens,
    z: Tokens,
    token_weight: Float[Array, "B L"],
    row_weight: Float[Array, "B 1"],
    mask: int,
) -> Float[Array, ""]:
    """Weighted cross-entropy of the tokens that are masked in `z` and known in `x`.

        sum_b row_weight_b sum_{i masked in z_b} w_bi (-log p(x_bi | z_b)) / sum_bi w_bi

    With `row_weight = -alpha'(t)/(1-alpha(t))` and `w = 1[observed]` its expectation is
    the negative ELBO of the observed tokens, in nats per observed token. On complete
    data that is the negative ELBO of MDLM divided by L.

    Args:
      logits: predictions `p(x0 | z)`.
      x: targets. Tokens that are MASK (unknown) carry no loss and no gradient.
      z: the partially masked rows that the network saw.
      token_weight: w >= 0, e.g. 1 for an observed token and less for an imputed one.
      row_weight: weight of the noise level of each row, see `elbo_weight`.
      mask: the MASK symbol, V.

    Returns:
      A scalar; 0 with zero gradient where nothing is masked or nothing is known.

    Examples:
      Two tokens are known, one of them is masked, and the network does not know it:

      >>> x, z = jnp.array([[0, 1]]), jnp.array([[0, 2]])
      >>> one = jnp.ones((1, 2))
      >>> loss = easy_loss(jnp.zeros((1, 2, 2)), x, z, one, jnp.ones((1, 1)), mask=2)
      >>> round(float(loss), 4)  # log(2) / 2
      0.3466

    References:
      Sahoo et al. 2024 (arXiv 2406.07524), eq. 10.
    """
    counts = (z == mask) & (x != mask)
    total = jnp.sum(token_weight * (x != mask))
    nats = row_weight * token_weight * counts * cross_entropy(logits, x)
    return jnp.sum(nats) / jnp.maximum(total, MIN_TOTAL_WEIGHT)


def low_discrepancy_times(
    key: Key[Array, ""], num_rows: int, t_min: float
) -> Float[Array, "B 1"]:
    """Draws one time per row, spread evenly over [t_min, 1].

    Row b has `t_min + (1 - t_min) ((u + b/B) mod 1)`. One uniform offset `u` serves the
    batch, which keeps the loss unbiased and removes most of its variance.

    Args:
      key: one key for the batch.
      num_rows: B.
      t_min: smallest time, in [0, 1).

    Examples:
      >>> t = low_discrepancy_times(jax.random.key(0), 4, t_min=0.0)
      >>> jnp.diff(jnp.sort(t[:, 0])).round(6)
      Array([0.25, 0.25, 0.25], dtype=float32)

    References:
      Kingma et al. 2021 (arXiv 2107.00630), app. I.1.
    """
    u = jax.random.uniform(key)
    t = jnp.mod(u + jnp.arange(num_rows) / num_rows, 1.0)[:, None]
    return t_min + (1.0 - t_min) * t
