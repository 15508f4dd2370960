"""A small picture classifier, whose features the Fréchet distance is computed from."""

from dataclasses import dataclass
from typing import cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ambient_jax.types import Params, RootKey, Tokens, Values

Outputs = tuple[Float[Array, "B C"], Float[Array, "B F"]]
"""Class logits, and the features that they are computed from."""


class ClassifierModule(nn.Module):
    """Maps grey levels `[B, H, W]` to class logits `[B, C]` and features `[B, F]`."""

    num_classes: int
    num_features: int

    @nn.compact
    def __call__(self, grey: Float[Array, "B H W"]) -> Outputs:
        h = nn.relu(nn.Conv(16, (3, 3))(grey[..., None]))
        for width in (32, 64):
            h = nn.relu(nn.Conv(width, (3, 3), strides=(2, 2))(h))
        h = h.reshape(h.shape[0], -1)
        features = nn.relu(nn.Dense(self.num_features)(h))
        return nn.Dense(self.num_classes)(features), features


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """Convolutional classifier of pictures whose pixels are tokens or grey levels.

    Attributes:
      shape: (H, W), to which rows are reshaped; (L,) is read as (1, L).
      num_values: V; a token x becomes the grey level x / (V - 1). 2 for rows that are
        grey levels in [0, 1] already.
      num_classes: C.
      num_features: F, the size of the layer before the logits.
    """

    shape: tuple[int, ...]
    num_values: int
    num_classes: int
    num_features: int = 64

    @property
    def module(self) -> ClassifierModule:
        """The Flax module."""
        return ClassifierModule(self.num_classes, self.num_features)

    def init(self, key: RootKey) -> Params:
        """Draws float32 parameters."""
        x = jnp.zeros((1, *self._picture), jnp.float32)
        return jax.jit(self.module.init)(key, x)["params"]

    def apply(self, params: Params, x: Tokens | Values) -> Outputs:
        """Class logits `[B, C]` and features `[B, F]`, float32, of complete rows."""
        grey = x.astype(jnp.float32).reshape(x.shape[0], *self._picture)
        grey = grey / (self.num_values - 1)
        return cast(Outputs, self.module.apply({"params": params}, grey))

    @property
    def _picture(self) -> tuple[int, ...]:
        return self.shape if len(self.shape) == 2 else (1, *self.shape)
