"""The network of continuous pictures: a U-Net that knows the noise level."""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ambient_jax.diffusion.gaussian.preconditioning import Preconditioning
from ambient_jax.networks.edm_network import EdmNetwork, noise_embedding
from ambient_jax.networks.unet import Trunk, check_widths, encode_decode, visible_mean
from ambient_jax.types import Sigmas


class EdmUNetModule(nn.Module):
    """Maps scaled noisy rows `[B, K]` to `F [B, L]`; `EdmUNet` has the fields.

    Attributes:
      shape: (C, H, W) of a picture.
      windows: sides in pixels of the windows over which the visible pixels are
        averaged, where the network reads which these are.
    """

    shape: tuple[int, int, int]
    trunk: Trunk
    windows: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "B K"], c_noise: Sigmas) -> Float[Array, "B L"]:
        dtype, width = self.trunk.dtype, self.trunk.widths[0]
        level = noise_embedding(c_noise, 4 * width).astype(dtype)
        level = nn.silu(nn.Dense(4 * width, dtype=dtype)(level))
        level = nn.silu(nn.Dense(4 * width, dtype=dtype)(level))
        planes = x.reshape(len(x), -1, *self.shape)  # values; the mask, if it is read
        pictures = [jnp.moveaxis(planes[:, i], 1, -1) for i in range(planes.shape[1])]
        features = jnp.concatenate(pictures, axis=-1).astype(dtype)
        if len(pictures) > 1:
            features = jnp.concatenate([features, *self._means(*pictures)], axis=-1)
        h = nn.Conv(width, (3, 3), dtype=dtype)(features)
        place = (1, *self.shape[1:], width)
        h = h + self.param("place", nn.initializers.normal(0.02), place).astype(dtype)
        h = encode_decode(h, self.trunk, level)
        h = nn.Dense(
            self.shape[0], dtype=jnp.float32, kernel_init=nn.initializers.zeros
        )(h.astype(jnp.float32))
        return jnp.moveaxis(h, -1, 1).reshape(len(x), -1)

    def _means(
        self, values: Float[Array, "B H W C"], seen: Float[Array, "B H W C"]
    ) -> list[Float[Array, "B H W D"]]:
        """Means over the visible pixels of each window; a pixel is seen as a whole."""
        seen = seen[..., :1]
        means = [visible_mean(values, seen, window) for window in self.windows]
        return [part.astype(self.trunk.dtype) for pair in means for part in pair]


@dataclass(frozen=True, kw_only=True)
class EdmUNet(EdmNetwork):
    """A U-Net with EDM's preconditioning, for pictures of any size.

    The noise level scales and shifts the channels inside every residual block.

    Attributes:
      shape: (H, W) or (C, H, W).
      widths, blocks, bottom_blocks, num_heads, windows: see `UNet`; the windows serve
        a network that reads which cells are visible.
      masked, preconditioning: see `EdmNetwork`.
      dtype: compute type; parameters and estimates are float32 whatever it is.

    Raises:
      ValueError: `widths` is empty or one of them is below 4, or a row is no picture.

    References:
      Karras et al. 2022 (arXiv 2206.00364), table 1; Dhariwal & Nichol 2021 (arXiv
      2105.05233), sec. 3, for the scales and shifts.
    """

    shape: tuple[int, ...]
    widths: tuple[int, ...] = (32, 64)
    blocks: int = 1
    bottom_blocks: int = 2
    num_heads: int = 4
    windows: tuple[int, ...] = (3, 7)
    masked: bool = False
    preconditioning: Preconditioning = Preconditioning()
    dtype: str = "float32"

    def __post_init__(self) -> None:
        check_widths(self.widths)
        if len(self.shape) not in (2, 3):
            raise ValueError(
                f"a U-Net needs pictures (H, W) or (C, H, W), not rows of {self.shape}"
            )

    @property
    def length(self) -> int:
        """L = C H W."""
        return int(np.prod(self.shape))

    @property
    def module(self) -> EdmUNetModule:
        """The Flax module."""
        channels, height, width = (1, *self.shape)[-3:]
        trunk = Trunk(
            tuple(self.widths), self.blocks, self.bottom_blocks, self.num_heads,
            jnp.dtype(self.dtype),
        )  # fmt: skip
        return EdmUNetModule((channels, height, width), trunk, tuple(self.windows))
