"""The network of pictures: a U-Net for contexts that are sparse as well as dense."""

from dataclasses import dataclass
from typing import NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ambient_jax.networks.blocks import Attention, ConvBlock, Dtype, Embed, Mlp
from ambient_jax.types import Context, Logits, Params, RootKey, Tokens

MIN_SHARE = 1e-6
"""Smallest divisor of `visible_mean`: far below one pixel of any window."""


def visible_mean(
    e: Float[Array, "B H W C"], visible: Float[Array, "B H W 1"], window: int
) -> tuple[Float[Array, "B H W C"], Float[Array, "B H W 1"]]:
    """Averages `e` over the visible pixels of the window around each pixel.

    `sum_window e visible / sum_window visible`, a normalised (partial) convolution: the
    mean does not shrink when fewer pixels are visible.

    Args:
      e: features of the pixels.
      visible: 1 where a pixel is visible, 0 where it is masked.
      window: side of the window in pixels.

    Returns:
      The mean (0 where no pixel of the window is visible), and the share of the window
      that is visible, in [0, 1].

    References:
      Liu et al. 2018 (arXiv 1804.07723).
    """
    size = (window, window)
    share = nn.avg_pool(visible, size, strides=(1, 1), padding="SAME")
    total = nn.avg_pool(e * visible, size, strides=(1, 1), padding="SAME")
    return total / jnp.maximum(share, MIN_SHARE), share


class Stem(nn.Module):
    """Maps tokens `[B, H, W]` to features `[B, H, W, C]`.

    The features of a pixel are its value, whether it is visible, its position, and the
    means over the visible pixels of the windows around it.

    Attributes:
      num_values: V.
      width: C.
      windows: sides of the windows in pixels.
      dtype: compute type; parameters are float32.
    """

    num_values: int
    width: int
    windows: tuple[int, ...]
    dtype: Dtype

    @nn.compact
    def __call__(self, z: Int[Array, "B H W"]) -> Float[Array, "B H W C"]:
        _, height, columns = z.shape
        visible = (z < self.num_values).astype(self.dtype)[..., None]
        e = Embed(self.num_values, self.width // 4, self.dtype)(z)  # zeros where masked
        features = [e, visible]
        for window in self.windows:
            features += visible_mean(e, visible, window)
        h = nn.Dense(self.width, dtype=self.dtype)(jnp.concatenate(features, -1))
        place = self.param(
            "place", nn.initializers.normal(0.02), (1, height, columns, self.width)
        )
        return h + place.astype(self.dtype)


class Trunk(NamedTuple):
    """Sizes of a U-Net between its stem and its read-out; see `UNet`."""

    widths: tuple[int, ...]
    blocks: int
    bottom_blocks: int
    num_heads: int
    dtype: Dtype


def encode_decode(
    h: Float[Array, "B H W C"], trunk: Trunk, level: Float[Array, "B E"] | None = None
) -> Float[Array, "B H W C"]:
    """Applies the levels of a U-Net to features; for the `__call__` of a module.

    Its layers are submodules of the module that calls it.

    Args:
      h: features of the first of `trunk.widths`.
      trunk: sizes.
      level: embedded noise level of each row; None: the network knows none.
    """
    skips, dtype = [], trunk.dtype
    for width in trunk.widths[:-1]:
        for _ in range(trunk.blocks):
            h = ConvBlock(width, dtype)(h, level)
        skips.append(h)
        h = nn.Conv(width, (3, 3), strides=(2, 2), dtype=dtype)(h)
    for _ in range(trunk.bottom_blocks):
        h = ConvBlock(trunk.widths[-1], dtype)(h, level)
        flat = h.reshape(h.shape[0], -1, h.shape[-1])
        flat = Mlp(2, dtype)(Attention(trunk.num_heads, dtype)(flat))
        h = flat.reshape(h.shape)
    for width, skip in zip(trunk.widths[-2::-1], skips[::-1], strict=True):
        h = nn.Dense(width, dtype=dtype)(h)
        h = jnp.repeat(jnp.repeat(h, 2, axis=1), 2, axis=2)
        h = h[:, : skip.shape[1], : skip.shape[2]] + skip
        for _ in range(trunk.blocks):
            h = ConvBlock(width, dtype)(h, level)
    return nn.gelu(nn.LayerNorm(dtype=dtype)(h))


class UNetModule(nn.Module):
    """Maps tokens `[B, H, W]` to logits `[B, H, W, V]`; `UNet` has the fields."""

    num_values: int
    windows: tuple[int, ...]
    trunk: Trunk

    @nn.compact
    def __call__(self, z: Int[Array, "B H W"]) -> Float[Array, "B H W V"]:
        width, dtype = self.trunk.widths[0], self.trunk.dtype
        h = Stem(self.num_values, width, self.windows, dtype)(z)
        h = encode_decode(h, self.trunk)
        return nn.Dense(self.num_values, dtype=jnp.float32)(h.astype(jnp.float32))


def check_widths(widths: tuple[int, ...]) -> None:
    """Refuses channels of a U-Net that are too few.

    Raises:
      ValueError: if `widths` is empty or one of them is below 4.
    """
    if not widths or min(widths) < 4:
        raise ValueError(f"widths must be at least 4 each, got {widths}")


@dataclass(frozen=True, kw_only=True)
class UNet:
    """A U-Net that implements the `Denoiser` protocol for pictures of any size.

    Attributes:
      shape: (H, W).
      num_values: V.
      widths: channels of each level, from the finest to the coarsest; at least 4 each.
        Each level halves the sides of the picture (odd sides are rounded up). Only the
        coarsest level has attention.
      blocks: residual blocks per direction at each level but the coarsest.
      bottom_blocks: residual blocks, each with attention, at the coarsest level.
      num_heads: attention heads; must divide the last width.
      windows: sides in pixels of the windows over which the stem averages the visible
        pixels.
      dtype: compute type; parameters and logits are float32 whatever it is.

    Raises:
      ValueError: if `widths` is empty or one of them is below 4.

    References:
      Ronneberger et al. 2015 (arXiv 1505.04597).
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
        check_widths(self.widths)

    @property
    def length(self) -> int:
        """L = H W."""
        return self.shape[0] * self.shape[1]

    @property
    def module(self) -> UNetModule:
        """The Flax module."""
        trunk = Trunk(
            tuple(self.widths), self.blocks, self.bottom_blocks, self.num_heads,
            jnp.dtype(self.dtype),
        )  # fmt: skip
        return UNetModule(self.num_values, tuple(self.windows), trunk)

    def init(self, key: RootKey) -> Params:
        """Draws float32 parameters."""
        z = jnp.zeros((1, *self.shape), jnp.int32)
        return jax.jit(self.module.init)(key, z)["params"]

    def apply(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Logits:
        """See `Denoiser.apply`; `context` is ignored."""
        picture = z.astype(jnp.int32).reshape(z.shape[0], *self.shape)
        logits = cast(Array, self.module.apply({"params": params}, picture))
        return logits.reshape(z.shape[0], self.length, self.num_values)
