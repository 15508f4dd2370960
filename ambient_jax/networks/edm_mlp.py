"""The network of continuous rows: a perceptron that knows the noise level."""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from ambient_jax.diffusion.gaussian.preconditioning import Preconditioning
from ambient_jax.networks.blocks import Dtype
from ambient_jax.networks.edm_network import EdmNetwork, noise_embedding
from ambient_jax.types import Sigmas


class EdmMlpModule(nn.Module):
    """Maps scaled noisy rows `[B, K]` to `F [B, L]`; `EdmMlp` has the fields."""

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
class EdmMlp(EdmNetwork):
    """A residual perceptron with EDM's preconditioning, for rows of any shape.

    Attributes:
      length: L.
      width: channels C, an even number of at least 4.
      depth: residual blocks.
      masked, preconditioning: see `EdmNetwork`.
      dtype: compute type; parameters and estimates are float32 whatever it is.

    Raises:
      ValueError: `width` is odd or below 4.
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
