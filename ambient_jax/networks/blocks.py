"""Building blocks that the networks share."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Dtype = Any


class Embed(nn.Module):
    """Embeds tokens, `[...] -> [..., width]`, by a product with one-hot vectors.

    The one-hot vectors take no more memory than the logits do. The gradient of an
    indexed look-up would be a scatter, which adds all tokens of a batch to the few rows
    of the table one after another and is slow on a GPU (docs/benchmarks.md).

    Attributes:
      num_tokens: rows of the table; a token outside 0..num_tokens-1 is embedded as
        zeros.
      width: C.
      dtype: compute type; the table is float32.
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
    """Residual pre-norm self-attention over positions, `[B, S, C] -> [B, S, C]`.

    It starts as the identity.

    Attributes:
      num_heads: attention heads; must divide C.
      dtype: compute type; parameters are float32.

    References:
      Vaswani et al. 2017 (arXiv 1706.03762); Xiong et al. 2020 (arXiv 2002.04745).
    """

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
    """Residual pre-norm two-layer perceptron on each position, `[..., C] -> [..., C]`.

    It starts as the identity.

    Attributes:
      expand: width of the hidden layer in units of C.
      dtype: compute type; parameters are float32.
    """

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
    """Residual pre-norm block of two 3x3 convolutions, `[B, H, W, C] -> [B, H, W, D]`.

    The norm is over the channels of each pixel. Norms over space (group, batch) would
    make the statistics of a pixel drift with the share of the picture that is visible.
    The block starts as the identity if C = D, as a linear map of each pixel otherwise.
    An embedded noise level `[B, E]`, if there is one, scales and shifts the channels
    between both convolutions.

    Attributes:
      width: D.
      dtype: compute type; parameters are float32.
    """

    width: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(
        self, h: Float[Array, "B H W C"], level: Float[Array, "B E"] | None = None
    ) -> Float[Array, "B H W D"]:
        skip = h
        if h.shape[-1] != self.width:
            skip = nn.Dense(self.width, dtype=self.dtype)(h)
        x = nn.gelu(nn.LayerNorm(dtype=self.dtype)(h))
        x = nn.Conv(self.width, (3, 3), dtype=self.dtype)(x)
        x = nn.LayerNorm(dtype=self.dtype)(x)
        if level is not None:
            both = nn.Dense(2 * self.width, dtype=self.dtype)(level)[:, None, None]
            scale, shift = jnp.split(both, 2, axis=-1)
            x = x * (1.0 + scale) + shift
        x = nn.gelu(x)
        x = nn.Conv(
            self.width, (3, 3), dtype=self.dtype, kernel_init=nn.initializers.zeros
        )(x)
        return skip + x
