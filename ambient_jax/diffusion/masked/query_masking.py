"""What a training row hides: by the diffusion's noise level, or as a query would."""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.absorbing import Uniforms
from ambient_jax.types import Tokens

LIGHT = (0.05, 0.35)
"""Range of the share that a lightly hidden row hides."""

GOLDEN = 0.6180339887


class Hidden(NamedTuple):
    """Rows with some of their tokens hidden, and what their loss counts.

    Attributes:
      z: `[B, L]`, MASK where hidden or unknown.
      t: `[B, 1]` time, or the share that was hidden.
      weight: `[B, 1]` of a hidden token's cross-entropy.
    """

    z: Tokens
    t: Float[Array, "B 1"]
    weight: Float[Array, "B 1"]


@dataclass(frozen=True, kw_only=True)
class QueryMasking:
    """Hides part of the rows as those are that a user wants completed.

    Under the ELBO's uniform times most contexts are far sparser than any query's. Here
    a hidden token counts so that each row has a weight of about one.

    Attributes:
      copied: share of the rows that hide what another row of the batch lacks. One
        where that is nothing is hidden lightly.
      light: share of the rows that hide a small random part, see `LIGHT`.
    """

    copied: float
    light: float

    def __post_init__(self) -> None:
        if min(self.copied, self.light) < 0 or self.copied + self.light > 1:
            raise ValueError(
                "copied and light are shares of the rows: not below 0, their sum not "
                f"above 1; got {self.copied}, {self.light}"
            )

    def kinds(self, num_rows: int) -> tuple[Bool[Array, "B 1"], Bool[Array, "B 1"]]:
        """Rows that copy a pattern, and rows that are hidden lightly.

        Spread evenly, so that they fall on all times and on natural rows alike.
        """
        place = jnp.mod(jnp.arange(num_rows) * GOLDEN, 1.0)[:, None]
        near = self.copied + self.light
        return place < self.copied, (place >= self.copied) & (place < near)

    def __call__(
        self, u: Uniforms, x: Tokens, unknown: Bool[Array, "B L"], noisy: Hidden,
        mask: int,
    ) -> Hidden:  # fmt: skip
        """Replaces part of the rows of `noisy`, which is `x` at its times.

        Args:
          u: uniforms of the lightly hidden rows.
          x: the rows, complete or not.
          unknown: what was never observed of them: the patterns to copy.
        """
        meant, light = self.kinds(len(x))
        pattern = jnp.roll(unknown, 1, axis=0)
        copied = meant & jnp.any(pattern & (x != mask), axis=1, keepdims=True)
        light |= meant & ~copied
        rate = LIGHT[0] + (LIGHT[1] - LIGHT[0]) * noisy.t
        lightly = absorbing.forward(u, x, 1.0 - rate, mask)
        z = jnp.where(light, lightly, noisy.z)
        z = jnp.where(copied, absorbing.hide(x, pattern, mask), z)
        known = jnp.sum(x != mask, axis=1, keepdims=True)
        hidden = jnp.sum((z == mask) & (x != mask), axis=1, keepdims=True)
        share = hidden / jnp.maximum(known, 1)
        near = copied | light
        floor = sum(LIGHT) / 2
        return Hidden(
            z=z,
            t=jnp.where(near, share, noisy.t),
            weight=jnp.where(near, 1.0 / jnp.maximum(share, floor), noisy.weight),
        )
