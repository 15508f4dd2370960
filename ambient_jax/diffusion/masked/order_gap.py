"""The order gap: two orders of revealing a pair of tokens must give one joint.

For any two masked tokens i and j of a state z, the predictions of one joint
distribution obey

    log p(x_i | z) + log p(x_j | z, x_i) = log p(x_j | z) + log p(x_i | z, x_j).

The difference of both sides is the defect of the pair. Its square is a metric here, and
the `swap` form of the consistency loss.

References:
  Strauss and Oliva 2021 (arXiv 2102.04426), on arbitrary conditionals of one network.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.sampling import denoise_mask, row_uniforms
from ambient_jax.types import Denoise, Logits, Positions, RowKeys, Tokens

PASSES = 3
"""Forward passes of one estimate."""

Index = Int[Array, "B 1"]


def choose_pair(
    u: Float[Array, "B L"], allowed: Positions
) -> tuple[Index, Index, Bool[Array, " B"]]:
    """Chooses two different allowed positions of each row, uniformly.

    Args:
      u: uniform variables.
      allowed: the positions to choose from.

    Returns:
      Both positions, and whether the row has two allowed ones.
    """
    found, pair = jax.lax.top_k(jnp.where(allowed, u, -1.0), 2)
    return pair[:, :1], pair[:, 1:], found[:, 1] >= 0


def reveal(z: Tokens, x: Tokens, position: Index) -> Tokens:
    """Returns `z` with the token of `x` at one position of each row."""
    return jnp.where(jnp.arange(z.shape[1])[None] == position, x, z)


def swap_defect(
    logits: Logits, logits_i: Logits, logits_j: Logits, x: Tokens, i: Index, j: Index
) -> Float[Array, " B"]:
    """Returns the defect of a pair of each row, in nats.

    Args:
      logits: predictions at the state z, where both tokens are masked.
      logits_i, logits_j: predictions after token i, or token j, is revealed.
      x: the values of the tokens, not MASK at i and j.
      i, j: positions of the pair.
    """

    def log_p(values: Logits, at: Index) -> Float[Array, " B"]:
        token = jnp.take_along_axis(x, at, axis=1)[..., None]
        own = jnp.take_along_axis(values, at[..., None], axis=1)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(own), token, axis=2)
        return chosen[:, 0, 0]

    first_i = log_p(logits, i) + log_p(logits_i, j)
    return first_i - log_p(logits, j) - log_p(logits_j, i)


def order_gap(denoise: Denoise, x: Tokens, keys: RowKeys) -> Float[Array, " B"]:
    """Returns the squared defect of a random pair of each row, in nats².

    The pair is chosen among the masked tokens of a state whose masked share is uniform
    in [0, 1); its values are those of the row. Rows without a pair have 0.

    Args:
      denoise: the network under fixed parameters; it is called three times.
      x: complete rows of tokens.
      keys: one key per row.
    """
    mask = denoise_mask(denoise, x)
    if x.shape[1] < 2:
        return jnp.zeros(len(x))
    hide, choice = row_uniforms(keys, 0, x.shape[1])
    share = row_uniforms(keys, 1, 1)[0]
    z = absorbing.hide(x, hide < share, mask)
    i, j, valid = choose_pair(choice, z == mask)
    logits_i, logits_j = denoise(reveal(z, x, i)), denoise(reveal(z, x, j))
    defect = swap_defect(denoise(z), logits_i, logits_j, x, i, j)
    return jnp.where(valid, defect**2, 0.0)
