"""The image network: a U-Net that is at home on sparse and on dense contexts."""

from dataclasses import dataclass
from typing import cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ambient_jax.networks.blocks import Attention, ConvBlock, Dtype, Embed, Mlp
from ambient_jax.types import Context, Logits, Params, RootKey, Tokens


def visible_mean(
    e: Float[Array, "B H W C"], visible: Float[Array, "B H W 1"], window: int
) -> tuple[Float[Array, "B H W C"], Float[Array, "B H W 1"]]:
    """Mean of `e` over the *visible* pixels of a window, and their share of it.

    Normalised (partial) convolution: the mean does not shrink when fewer pixels are
    visible; the share is given beside it (Liu et al. 2018, arXiv 1804.07723).
    """
    size = (window, window)
    share = nn.avg_pool(visible, size, strides=(1, 1), padding="SAME")
    total = nn.avg_pool(e * visible, size, strides=(1, 1), padding="SAME")
    return total / jnp.maximum(share, 1e-6), share


class Stem(nn.Module):
    """Tokens to features: own value, position, and visible means at several scales."""

    num_values: int
    width: int
    windows: tuple[int, ...]
    dtype: Dtype

    @nn.compact
    def __call__(self, z: Int[Array, "B H W"]) -> Float[Array, "B H W C"]:
        _, height, columns = z.shape
        visible = (z < self.num_values).astype(self.dtype)[..., None]
        e = Embed(self.num_values, self.width // 4, self.dtype)(z)  # masked: zeros
        features = [e, visible]
        for window in self.windows:
            features += visible_mean(e, visible, window)
        h = nn.Dense(self.width, dtype=self.dtype)(jnp.concatenate(features, -1))
        place = self.param(
            "place", nn.initializers.normal(0.02), (1, height, columns, self.width)
        )
        return h + place.astype(self.dtype)


class UNetModule(nn.Module):
    """`[B, H, W]` tokens to `[B, H, W, V]` logits. See `UNet` for the fields."""

    num_values: int
    widths: tuple[int, ...]
    blocks: int
    bottom_blocks: int
    num_heads: int
    windows: tuple[int, ...]
    dtype: Dtype

    @nn.compact
    def __call__(self, z: Int[Array, "B H W"]) -> Float[Array, "B H W V"]:
        h = Stem(self.num_values, self.widths[0], self.windows, self.dtype)(z)
        skips = []
        for width in self.widths[:-1]:
            for _ in range(self.blocks):
                h = ConvBlock(width, self.dtype)(h)
            skips.append(h)
            h = nn.Conv(width, (3, 3), strides=(2, 2), dtype=self.dtype)(h)
        for _ in range(self.bottom_blocks):
            h = self._bottom(ConvBlock(self.widths[-1], self.dtype)(h))
        for width, skip in zip(self.widths[-2::-1], skips[::-1], strict=True):
            h = nn.Dense(width, dtype=self.dtype)(h)
            h = jnp.repeat(jnp.repeat(h, 2, axis=1), 2, axis=2)
            h = h[:, : skip.shape[1], : skip.shape[2]] + skip
            for _ in range(self.blocks):
                h = ConvBlock(width, self.dtype)(h)
        h = nn.gelu(nn.LayerNorm(dtype=self.dtype)(h))
        return nn.Dense(self.num_values, dtype=jnp.float32)(h.astype(jnp.float32))

    def _bottom(self, h: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        flat = h.reshape(h.shape[0], -1, h.shape[-1])
        flat = Mlp(2, self.dtype)(Attention(self.num_heads, self.dtype)(flat))
        return flat.reshape(h.shape)


@dataclass(frozen=True, kw_only=True)
class UNet:
    """U-Net denoiser for pictures of any size (`Denoiser` protocol).

    Attributes:
      shape: (H, W).
      num_values: V.
      widths: channels per resolution, finest first; each further level halves the
        picture (odd sizes round up). The last one has attention.
      blocks: residual blocks per level and direction, above the last level.
      bottom_blocks: residual blocks with attention at the last level.
      num_heads: attention heads at the coarsest level; must divide the last width.
      windows: sizes of the normalised local means that the stem adds.
      dtype: compute type; parameters and logits are float32 anyway.
    """

    shape: tuple[int, int]
    num_values: int
    widths: tuple[int, ...] = (32, 64)
    blocks: int = 1
    bottom_blocks: int = 2
    num_heads: int = 4
    windows: tuple[int, ...] = (3, 7)
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 4:
            raise ValueError(f"widths must be at least 4 each, got {self.widths}")

    @property
    def length(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def module(self) -> UNetModule:
        return UNetModule(
            self.num_values, tuple(self.widths), self.blocks, self.bottom_blocks,
            self.num_heads, tuple(self.windows), jnp.dtype(self.dtype),
        )  # fmt: skip

    def init(self, key: RootKey) -> Params:
        z = jnp.zeros((1, *self.shape), jnp.int32)
        return jax.jit(self.module.init)(key, z)["params"]

    def apply(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Logits:
        picture = z.astype(jnp.int32).reshape(z.shape[0], *self.shape)
        logits = cast(Array, self.module.apply({"params": params}, picture))
        return logits.reshape(z.shape[0], self.length, self.num_values)
