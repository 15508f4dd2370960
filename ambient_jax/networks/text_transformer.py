"""A bidirectional transformer for text: rotary positions, one read-out for all."""

from dataclasses import dataclass
from typing import cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ambient_jax.networks.blocks import Dtype, Embed, Mlp
from ambient_jax.types import Context, Logits, Params, RootKey, Tokens

BASE = 10_000.0
"""Base of the wavelengths of RoPE, as published."""

ONE_HOT_LIMIT = 512
"""Up to so many tokens the embedding is a product with one-hot vectors, whose gradient
a GPU adds up far faster (`Embed`); from there on it is a look-up, without them."""


NEAR, SHARPNESS, FAST_PAIRS = (-1, 1, -2, 2), 3.0, 4
"""Where the heads look first: at these distances, in turn. Of the pairs of channels,
the few that turn fastest make them look there, by so many nats per pair."""


def frequencies(half: int) -> Float[np.ndarray, " P"]:
    """Radians per place by which each of the pairs of channels turns."""
    return BASE ** (-np.arange(half) / half)


def rotate(
    x: Float[Array, "B L N D"], positions: Int[np.ndarray, " L"]
) -> Float[Array, "B L N D"]:
    """Turns each pair of channels by an angle that is proportional to its position.

    The product of a rotated query and a rotated key depends on the difference of their
    positions alone. Equation 34 of Su et al. 2021 (RoFormer, arXiv 2104.09864), where
    channel i is paired with i + D/2 instead of with its neighbour, which is the same up
    to the order of the channels.

    Args:
      x: queries or keys of N heads with an even number D of channels.
      positions: of the L places.
    """
    half = x.shape[-1] // 2
    angles = np.outer(positions, frequencies(half))[None, :, None, :]
    cos, sin = (jnp.asarray(f(angles), x.dtype) for f in (np.cos, np.sin))
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate(
        [first * cos - second * sin, second * cos + first * sin], axis=-1
    )


def looking_near(
    distances: Int[np.ndarray, " N"], size: int
) -> Float[np.ndarray, "N D"]:
    """Biases of the queries or keys of N heads, rotated by a distance each.

    With the distances `d` in the queries and 0 in the keys, the scores of places that
    are `d'` apart are `SHARPNESS * sum_i cos(f_i (d' - d))`, besides what the content
    adds: a head looks `d` places to the right. Without it a network finds out slowly
    that characters depend on their neighbours, the more so the more are missing.

    Args:
      distances: of the N heads.
      size: D, channels of a head.
    """
    half = size // 2
    scale = np.where(np.arange(half) < FAST_PAIRS, SHARPNESS * size**0.5, 0.0) ** 0.5
    angles = np.outer(distances, frequencies(half))
    pairs = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    return (np.tile(scale, 2)[None] * pairs).astype(np.float32)


class RotaryAttention(nn.Module):
    """Residual pre-norm self-attention with rotary positions, `[B, L, C]` to the same.

    It starts as the identity, with heads that look at near places. The softmax is in
    float32.

    Attributes:
      num_heads: attention heads N; C / N must be even.
      dtype: compute type; parameters are float32.
    """

    num_heads: int
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(
        self, h: Float[Array, "B L C"], positions: Int[np.ndarray, " L"]
    ) -> Float[Array, "B L C"]:
        width = h.shape[-1]
        x = nn.LayerNorm(dtype=self.dtype)(h)
        shape = (self.num_heads, width // self.num_heads)
        query, key, value = (
            nn.DenseGeneral(shape, use_bias=False, dtype=self.dtype, name=name)(x)
            for name in ("query", "key", "value")
        )
        near = np.resize(NEAR, self.num_heads)
        query += self._bias("query_bias", looking_near(near, shape[1]))
        key += self._bias("key_bias", looking_near(0 * near, shape[1]))
        query, key = rotate(query, positions), rotate(key, positions)
        scores = jnp.einsum("blnd,bmnd->bnlm", query, key).astype(jnp.float32)
        weights = jax.nn.softmax(scores * shape[1] ** -0.5, axis=-1)
        x = jnp.einsum("bnlm,bmnd->blnd", weights.astype(self.dtype), value)
        x = nn.DenseGeneral(
            width, axis=(-2, -1), use_bias=False, dtype=self.dtype,
            kernel_init=nn.initializers.zeros, name="out",
        )(x)  # fmt: skip
        return h + x

    def _bias(self, name: str, start: np.ndarray) -> Float[Array, "1 1 N D"]:
        bias = self.param(name, lambda _: jnp.asarray(start))
        return bias.astype(self.dtype)[None, None]


class TextTransformerModule(nn.Module):
    """Maps tokens `[B, L]` to logits `[B, L, V]`; `TextTransformer` has the fields.

    The first position may be any number: it makes no difference.
    """

    num_values: int
    width: int
    depth: int
    num_heads: int
    dtype: Dtype

    @nn.compact
    def __call__(self, z: Int[Array, "B L"], first: int = 0) -> Float[Array, "B L V"]:
        positions = first + np.arange(z.shape[1])
        tokens = self.num_values + 1
        embed = Embed if tokens <= ONE_HOT_LIMIT else nn.Embed
        h = embed(tokens, self.width, dtype=self.dtype)(z)
        for _ in range(self.depth):
            h = RotaryAttention(self.num_heads, self.dtype)(h, positions)
            h = Mlp(4, self.dtype)(h)
        h = nn.LayerNorm(dtype=self.dtype)(h)
        out = self.param(
            "out",
            nn.initializers.normal(self.width**-0.5),
            (self.width, self.num_values),
        )
        bias = self.param("bias", nn.initializers.zeros, (self.num_values,))
        logits = jnp.dot(h, out.astype(self.dtype), preferred_element_type=jnp.float32)
        return logits + bias[None, None]


@dataclass(frozen=True, kw_only=True)
class TextTransformer:
    """A transformer that implements the `Denoiser` protocol for rows of text.

    A position is known to it by its distance from the others only, and all positions
    share one read-out, so that it has about 2 V C parameters beside its layers.

    Attributes:
      length: L.
      num_values: V.
      width: channels C.
      depth: number of layers, each attention and a perceptron.
      num_heads: attention heads; `width / num_heads` must be an even number.
      dtype: compute type; parameters and logits are float32 whatever it is.

    Raises:
      ValueError: the heads do not fit the width.

    References:
      Su et al. 2021 (arXiv 2104.09864); Xiong et al. 2020 (pre-norm, arXiv 2002.04745).
    """

    length: int
    num_values: int
    width: int = 128
    depth: int = 4
    num_heads: int = 4
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.num_heads < 1 or self.width < 1 or self.width % (2 * self.num_heads):
            raise ValueError(
                f"width must be a multiple of 2 num_heads = {2 * self.num_heads}, got "
                f"{self.width}"
            )

    @property
    def module(self) -> TextTransformerModule:
        """The Flax module."""
        return TextTransformerModule(
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
