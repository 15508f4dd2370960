"""Building blocks shared by the networks."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Dtype = Any


class Embed(nn.Module):
    """A vector per token, `[...] -> [..., width]`; zeros for a token beyond the last.

    The look-up is a product with one-hot vectors, no larger than the logits are. The
    gradient of an indexed look-up adds up all tokens of a batch at the few rows of the
    table, one after another, which is slow on a GPU (docs/benchmarks.md).
    """

    num_tokens: int
    width: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Int[Array, "..."]) -> Float[Array, "... C"]:
        shape = (self.num_tokens, self.width)
        table = self.param("embedding", nn.linear.default_embed_init, shape)
        one_hot = jax.nn.one_hot(z, self.num_tokens, dtype=self.dtype)
        return jnp.dot(one_hot, table.astype(self.dtype), precision="highest")


class Attention(nn.Module):
    """Pre-norm self-attention over positions, `[B, S, C] -> [B, S, C]`, residual."""

    num_heads: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, h: Float[Array, "B S C"]) -> Float[Array, "B S C"]:
        x = nn.LayerNorm(dtype=self.dtype)(h)
        x = nn.MultiHeadDotProductAttention(
            num_heads=self.num_heads,
            dtype=self.dtype,
            out_kernel_init=nn.initializers.zeros,
        )(x)
        return h + x


class Mlp(nn.Module):
    """Pre-norm two-layer perceptron on each position, residual."""

    expand: int = 4
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, h: Float[Array, "... C"]) -> Float[Array, "... C"]:
        width = h.shape[-1]
        x = nn.LayerNorm(dtype=self.dtype)(h)
        x = nn.gelu(nn.Dense(self.expand * width, dtype=self.dtype)(x))
        x = nn.Dense(width, dtype=self.dtype, kernel_init=nn.initializers.zeros)(x)
        return h + x


class ConvBlock(nn.Module):
    """Pre-norm residual block of two 3x3 convolutions, `[B, H, W, C]` in and out.

    The norm is over the channels of each pixel. Norms over space (group, batch) would
    make the statistics of a pixel drift with the share of the picture that is visible.
    """

    width: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, h: Float[Array, "B H W C"]) -> Float[Array, "B H W D"]:
        skip = h
        if h.shape[-1] != self.width:
            skip = nn.Dense(self.width, dtype=self.dtype)(h)
        x = nn.gelu(nn.LayerNorm(dtype=self.dtype)(h))
        x = nn.Conv(self.width, (3, 3), dtype=self.dtype)(x)
        x = nn.gelu(nn.LayerNorm(dtype=self.dtype)(x))
        x = nn.Conv(
            self.width, (3, 3), dtype=self.dtype, kernel_init=nn.initializers.zeros
        )(x)
        return skip + x
