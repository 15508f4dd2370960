"""A bidirectional transformer for rows of tokens that form no picture."""

from dataclasses import dataclass
from typing import cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ambient_jax.networks.blocks import Attention, Dtype, Embed, Mlp
from ambient_jax.types import Context, Logits, Params, RootKey, Tokens


class TransformerModule(nn.Module):
    """Maps tokens `[B, L]` to logits `[B, L, V]`; `Transformer` has the fields."""

    num_values: int
    width: int
    depth: int
    num_heads: int
    dtype: Dtype

    @nn.compact
    def __call__(self, z: Int[Array, "B L"]) -> Float[Array, "B L V"]:
        value = Embed(self.num_values + 1, self.width, self.dtype)(z)
        place = self.param(
            "place", nn.initializers.normal(1.0), (1, z.shape[1], self.width)
        )
        h = value + place.astype(self.dtype)
        for _ in range(self.depth):
            h = Mlp(4, self.dtype)(Attention(self.num_heads, self.dtype)(h))
        h = nn.LayerNorm(dtype=self.dtype)(h).astype(jnp.float32)
        # Each position has its own read-out: its values mean something else.
        out = self.param(
            "out",
            nn.initializers.normal(self.width**-0.5),
            (z.shape[1], self.width, self.num_values),
        )
        bias = self.param(
            "bias", nn.initializers.zeros, (1, z.shape[1], self.num_values)
        )
        return jnp.einsum("blc,lcv->blv", h, out) + bias


@dataclass(frozen=True, kw_only=True)
class Transformer:
    """A transformer that implements the `Denoiser` protocol for `[N, L]` data.

    Attributes:
      length: L.
      num_values: V.
      width: channels C; `num_heads` must divide it.
      depth: number of layers, each attention and a perceptron.
      num_heads: attention heads.
      dtype: compute type; parameters and logits are float32 whatever it is.
    """

    length: int
    num_values: int
    width: int = 64
    depth: int = 3
    num_heads: int = 4
    dtype: str = "float32"

    @property
    def module(self) -> TransformerModule:
        """The Flax module."""
        return TransformerModule(
            self.num_values, self.width, self.depth, self.num_heads,
            jnp.dtype(self.dtype),
        )  # fmt: skip

    def init(self, key: RootKey) -> Params:
        """Draws float32 parameters."""
        z = jnp.zeros((1, self.length), jnp.int32)
        return jax.jit(self.module.init)(key, z)["params"]

    def apply(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Logits:
        """See `Denoiser.apply`; `context` is ignored."""
        return cast(Logits, self.module.apply({"params": params}, z.astype(jnp.int32)))
