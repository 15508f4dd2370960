"""The easy loss: cross-entropy on tokens that are known and were hidden further."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ambient_jax.types import Logits, Tokens


def cross_entropy(logits: Logits, x: Tokens) -> Float[Array, "B L"]:
    """`-log p(x_i | z)` in nats for each token; zero where `x` is MASK (unknown).

    The MASK target is replaced before the look-up, so the gradient stays finite.
    """
    num_values = logits.shape[-1]
    logp = jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)
    known = x < num_values
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
    """Weighted cross-entropy on tokens that are masked in `z` and known in `x`.

        sum_b row_weight_b sum_{i masked in z_b} w_bi (-log p(x_bi | z_b)) / sum_bi w_bi

    With `row_weight = -alpha'(t)/(1-alpha(t))`, `w = 1[observed]` it is the negative
    ELBO of the observed tokens per observed token (nats); on complete data it is the
    ELBO of MDLM (Sahoo et al. 2024, arXiv 2406.07524, eq. 10) divided by L.

    Args:
      logits: predictions `p(x0 | z)`.
      x: targets, MASK where unknown: those carry no loss and no gradient.
      z: what the network saw.
      token_weight: w >= 0, e.g. 1 where observed and less where imputed.
      row_weight: weight of each row's noise level.
      mask: the MASK symbol, V.

    Returns:
      A scalar; 0 with zero gradient where nothing is masked or nothing is known.
    """
    counts = (z == mask) & (x != mask)
    total = jnp.sum(token_weight * (x != mask))
    nats = row_weight * token_weight * counts * cross_entropy(logits, x)
    return jnp.sum(nats) / jnp.maximum(total, 1e-6)


def low_discrepancy_times(
    key: Key[Array, ""], num_rows: int, t_min: float
) -> Float[Array, "B 1"]:
    """Times in [t_min, 1], one per row, spread evenly: `t_b = (u + b/B) mod 1`.

    One uniform offset serves the batch, which keeps the loss unbiased and takes most
    of its variance away (Kingma et al. 2021, arXiv 2107.00630, app. I.1).
    """
    u = jax.random.uniform(key)
    t = jnp.mod(u + jnp.arange(num_rows) / num_rows, 1.0)[:, None]
    return t_min + (1.0 - t_min) * t
