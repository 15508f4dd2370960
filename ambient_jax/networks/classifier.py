"""A small picture classifier; its features carry the Frechet distance."""

from dataclasses import dataclass
from typing import cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ambient_jax.types import Params, RootKey, Tokens

Outputs = tuple[Float[Array, "B C"], Float[Array, "B F"]]


class ClassifierModule(nn.Module):
    """Grey levels `[B, H, W]` to class logits and the features before them."""

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
    """Convolutional classifier of token pictures.

    Attributes:
      shape: (H, W); rows of tokens are reshaped to it. (L,) is taken as (1, L).
      num_values: V; tokens become grey levels x / (V - 1).
      num_classes: C.
      num_features: F, the size of the layer before the logits.
    """

    shape: tuple[int, ...]
    num_values: int
    num_classes: int
    num_features: int = 64

    @property
    def module(self) -> ClassifierModule:
        return ClassifierModule(self.num_classes, self.num_features)

    def init(self, key: RootKey) -> Params:
        x = jnp.zeros((1, *self._picture), jnp.float32)
        return jax.jit(self.module.init)(key, x)["params"]

    def apply(self, params: Params, x: Tokens) -> Outputs:
        """Logits `[B, C]` and features `[B, F]` of complete rows."""
        grey = x.astype(jnp.float32).reshape(x.shape[0], *self._picture)
        grey = grey / (self.num_values - 1)
        return cast(Outputs, self.module.apply({"params": params}, grey))

    @property
    def _picture(self) -> tuple[int, ...]:
        return self.shape if len(self.shape) == 2 else (1, *self.shape)
