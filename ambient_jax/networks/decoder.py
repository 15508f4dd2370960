"""The network of a latent-variable prior: from latents to the values of a row."""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ambient_jax.types import Params, RootKey


class _Perceptron(nn.Module):
    hidden: tuple[int, ...]
    outputs: int
    dropout: float

    @nn.compact
    def __call__(self, latents: Array, training: bool) -> Array:
        x = latents
        for width in self.hidden:
            x = nn.gelu(nn.Dense(width)(x))
            x = nn.Dropout(self.dropout, deterministic=not training)(x)
        return nn.Dense(self.outputs)(x)


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """A perceptron `z -> log p(x_i = v | z)` whose outputs are smooth over a picture.

    The logits of a picture are convolved with a Gaussian, separately for each value.
    Nearby pixels share their evidence in this way, without which ten observed pixels in
    a hundred overfit any decoder.

    Attributes:
      shape: of a row, (H, W) or (L,). Rows that are not pictures are not smoothed.
      num_values: V.
      latents: number of latent variables.
      hidden: widths of the hidden layers; none make the logits linear in the latents,
        which is factor analysis of tokens.
      dropout: share of hidden units left out in training, in [0, 1).
      smoothing: standard deviation of the Gaussian, in pixels; 0 switches it off.
      gain: factor on the logits; above 1 the decoder is fitted in fewer steps.
    """

    shape: tuple[int, ...]
    num_values: int
    latents: int = 10
    hidden: tuple[int, ...] = (512, 512)
    dropout: float = 0.3
    smoothing: float = 1.0
    gain: float = 2.0

    @property
    def length(self) -> int:
        """L, the number of tokens of a row."""
        return int(np.prod(self.shape))

    @property
    def _perceptron(self) -> _Perceptron:
        return _Perceptron(self.hidden, self.length * self.num_values, self.dropout)

    def init(self, key: RootKey) -> Params:
        """Returns random initial parameters."""
        return self._perceptron.init(key, jnp.zeros((1, self.latents)), training=False)

    def __call__(
        self, params: Params, latents: Float[Array, "M Z"], key: RootKey | None = None
    ) -> Float[Array, "M L V"]:
        """Returns logits, up to those of the marginal distribution.

        Args:
          params: as `init` returns them.
          latents: points of the latent space.
          key: of dropout; None: no unit is left out.
        """
        rngs = None if key is None else {"dropout": key}
        raw = self._perceptron.apply(params, latents, key is not None, rngs=rngs)
        raw = jnp.asarray(raw).reshape(len(latents), *self.shape, self.num_values)
        if len(self.shape) == 2 and self.smoothing > 0:
            high, wide = (
                gaussian_smoother(size, self.smoothing) for size in self.shape
            )
            raw = jnp.einsum("mhwv,hk,wl->mklv", raw, high, wide)
        return self.gain * raw.reshape(len(latents), self.length, self.num_values)


def gaussian_smoother(size: int, sd: float) -> Float[np.ndarray, "size size"]:
    """Returns the matrix that smooths `size` values and keeps their scale.

    Column j holds the weights of value j: a Gaussian of standard deviation `sd` about
    j, with squares that sum to one.
    """
    place = np.arange(size)
    weights = np.exp(-0.5 * ((place[:, None] - place) / sd) ** 2)
    return (weights / np.sqrt((weights**2).sum(axis=0))).astype(np.float32)


def decoder_log_probabilities(
    logits: Float[Array, "M L V"], marginal: Float[Array, "L V"]
) -> Float[Array, "M L V"]:
    """Returns the log probabilities of logits that are relative to a marginal's."""
    return jax.nn.log_softmax(logits + marginal[None], axis=-1)
