"""Masks training rows further the way that queries are masked."""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.absorbing import Uniforms
from ambient_jax.types import Tokens

LIGHT_RATES = (0.05, 0.35)
"""Range of the share of tokens that a lightly masked row loses: from about one column
of twenty, as in a nearly complete table, to somewhat more than the 30 % of the
literature's benchmarks."""

GOLDEN_RATIO = 0.6180339887
"""Its multiples modulo 1 fill the unit interval evenly, whatever their number."""


class MaskedRows(NamedTuple):
    """Rows after further masking, and the weight of their loss.

    Attributes:
      z: `[B, L]` tokens, MASK where masked further or never observed.
      t: `[B, 1]` time of the forward process, or the share of tokens masked further.
      weight: `[B, 1]` weight of the cross-entropy of a masked token.
    """

    z: Tokens
    t: Float[Array, "B 1"]
    weight: Float[Array, "B 1"]


@dataclass(frozen=True, kw_only=True)
class QueryMasking:
    """Masks part of the rows like the rows that a user wants completed.

    Under the uniform times of the ELBO most contexts are far sparser than those of any
    query. Here a masked token is weighted by one over the share that is masked, so that
    every row has a total weight of about one.

    Attributes:
      copied_share: share of the rows that mask what another row of the batch misses.
        Where that is nothing, the row is masked lightly.
      light_share: share of the rows that mask a random part of `LIGHT_RATES`.

    Raises:
      ValueError: a share is negative, or their sum exceeds 1.
    """

    copied_share: float
    light_share: float

    def __post_init__(self) -> None:
        shares = (self.copied_share, self.light_share)
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError(
                "copied_share and light_share are shares of the rows: they must not be "
                f"negative, nor their sum above 1; got {shares[0]} and {shares[1]}"
            )

    def kinds(self, num_rows: int) -> tuple[Bool[Array, "B 1"], Bool[Array, "B 1"]]:
        """Returns which rows copy a pattern, and which are masked lightly.

        Both are spread evenly over the batch, so that they fall on all times and on
        natural and completed rows alike.
        """
        place = jnp.mod(jnp.arange(num_rows) * GOLDEN_RATIO, 1.0)[:, None]
        both = self.copied_share + self.light_share
        copies = place < self.copied_share
        return copies, (place >= self.copied_share) & (place < both)

    def __call__(
        self, u: Uniforms, x: Tokens, unknown: Bool[Array, "B L"], noisy: MaskedRows,
        mask: int,
    ) -> MaskedRows:  # fmt: skip
        """Replaces part of the rows of `noisy` by rows that are masked like queries.

        Args:
          u: uniforms in [0, 1) for the lightly masked rows.
          x: the rows, complete or not.
          unknown: which tokens of each row were never observed: the patterns to copy.
          noisy: `x` masked by the forward process.
          mask: the MASK symbol, V.
        """
        copies, light = self.kinds(len(x))
        pattern = jnp.roll(unknown, 1, axis=0)
        copied = copies & jnp.any(pattern & (x != mask), axis=1, keepdims=True)
        light |= copies & ~copied
        low, high = LIGHT_RATES
        rate = low + (high - low) * noisy.t
        lightly = absorbing.forward(u, x, 1.0 - rate, mask)
        z = jnp.where(light, lightly, noisy.z)
        z = jnp.where(copied, absorbing.hide(x, pattern, mask), z)
        known = jnp.sum(x != mask, axis=1, keepdims=True)
        masked = jnp.sum((z == mask) & (x != mask), axis=1, keepdims=True)
        share = masked / jnp.maximum(known, 1)
        replaced = copied | light
        smallest = (low + high) / 2  # one token of a long row must not weigh more
        return MaskedRows(
            z=z,
            t=jnp.where(replaced, share, noisy.t),
            weight=jnp.where(
                replaced, 1.0 / jnp.maximum(share, smallest), noisy.weight
            ),
        )
