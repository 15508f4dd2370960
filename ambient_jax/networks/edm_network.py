"""What the networks of continuous rows share: noise levels and preconditioning."""

from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ambient_jax.diffusion.gaussian.preconditioning import Preconditioning
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


class EdmNetwork:
    """Base of a network with EDM's preconditioning (`types.GaussianDenoiser`).

    It starts as `c_skip x`, the estimate for independent cells with standard deviation
    `sigma_data` about 0, if the last layer of its module starts at 0. A subclass is a
    frozen dataclass and has these attributes.

    Attributes:
      length: L.
      masked: whether the network reads which cells are visible, as Ambient Diffusion
        needs; their values are 0 to it elsewhere.
      preconditioning: the scalings about the raw network.
      module: the Flax module, `(x [B, K], c_noise) -> F [B, L]`. K is L or, if
        `masked`, 2 L: the visible values, then 1 where a cell is visible.

    References:
      Karras et al. 2022 (arXiv 2206.00364), table 1.
    """

    length: Any
    masked: bool
    preconditioning: Preconditioning
    module: Any

    def init(self, key: RootKey) -> Params:
        """Draws float32 parameters."""
        x = jnp.zeros((1, self.length * (2 if self.masked else 1)))
        module: nn.Module = self.module
        return jax.jit(module.init)(key, x, jnp.zeros((1, 1)))["params"]

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
