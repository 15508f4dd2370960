"""The network of continuous rows: a perceptron that knows the noise level."""

from dataclasses import dataclass
from typing import cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ambient_jax.diffusion.gaussian.preconditioning import Preconditioning
from ambient_jax.networks.blocks import Dtype
from ambient_jax.types import Params, RootKey, Sigmas, Values

MAX_PERIOD = 1000.0
"""Range of the periods of the noise embedding, in units of `c_noise`."""


def noise_embedding(c_noise: Sigmas, width: int) -> Float[Array, "B C"]:
    """Embeds noise levels by cosines and sines of geometrically spaced frequencies.

    Args:
      c_noise: `ln(sigma) / 4`.
      width: C, an even number of at least 4.

    References:
      Ho et al. 2020 (arXiv 2006.11239), appendix B, after Vaswani et al. 2017.
    """
    half = width // 2
    frequencies = MAX_PERIOD ** (jnp.arange(half)[None] / (half - 1) - 0.5)
    angles = c_noise * frequencies
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)


class EdmMlpModule(nn.Module):
    """Maps scaled noisy rows `[B, L]` to `F [B, L]`; `EdmMlp` has the fields."""

    length: int
    width: int
    depth: int
    dtype: Dtype

    @nn.compact
    def __call__(self, x: Float[Array, "B K"], c_noise: Sigmas) -> Float[Array, "B L"]:
        level = noise_embedding(c_noise, self.width).astype(self.dtype)
        level = nn.silu(nn.Dense(self.width, dtype=self.dtype)(level))
        h = nn.Dense(self.width, dtype=self.dtype)(x.astype(self.dtype))
        for _ in range(self.depth):
            y = nn.LayerNorm(dtype=self.dtype)(h) + nn.Dense(
                self.width, dtype=self.dtype
            )(level)
            y = nn.silu(nn.Dense(self.width, dtype=self.dtype)(nn.silu(y)))
            h = h + nn.Dense(self.width, dtype=self.dtype)(y)
        h = nn.LayerNorm(dtype=jnp.float32)(h.astype(jnp.float32))
        return nn.Dense(
            self.length, dtype=jnp.float32, kernel_init=nn.initializers.zeros
        )(h)


@dataclass(frozen=True, kw_only=True)
class EdmMlp:
    """A residual perceptron with EDM's preconditioning (`types.GaussianDenoiser`).

    It starts as `c_skip x`, the estimate for independent cells with standard deviation
    `sigma_data` about 0.

    Attributes:
      length: L.
      width: channels C, an even number of at least 4.
      depth: residual blocks.
      masked: whether the network reads which cells are visible, as Ambient Diffusion
        needs; their values are 0 to it elsewhere.
      preconditioning: the scalings about the raw network.
      dtype: compute type; parameters and estimates are float32 whatever it is.

    Raises:
      ValueError: `width` is odd or below 4.

    References:
      Karras et al. 2022 (arXiv 2206.00364), table 1.
    """

    length: int
    width: int = 128
    depth: int = 3
    masked: bool = False
    preconditioning: Preconditioning = Preconditioning()
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.width < 4 or self.width % 2:
            raise ValueError(f"width must be even and at least 4, got {self.width}")

    @property
    def module(self) -> EdmMlpModule:
        """The Flax module."""
        return EdmMlpModule(self.length, self.width, self.depth, jnp.dtype(self.dtype))

    def init(self, key: RootKey) -> Params:
        """Draws float32 parameters."""
        x = jnp.zeros((1, self.length * (2 if self.masked else 1)))
        return jax.jit(self.module.init)(key, x, jnp.zeros((1, 1)))["params"]

    def apply(
        self, params: Params, x: Values, sigma: Sigmas, visible: Values | None = None
    ) -> Values:
        """See `GaussianDenoiser.apply`.

        Raises:
          ValueError: `visible` is given, but the network does not read it.
        """
        if visible is not None and not self.masked:
            raise ValueError("this network reads no mask; masked=True makes one")

        def raw(x: Values, c_noise: Sigmas) -> Values:
            if self.masked:
                seen = jnp.ones_like(x) if visible is None else visible
                x = jnp.concatenate([x, seen], axis=-1)
            return cast(Array, self.module.apply({"params": params}, x, c_noise))

        given = x if visible is None else x * visible
        return self.preconditioning.estimate(raw, given, sigma, visible)
