"""The optimizer of the M-step: AdamW, or Muon for the kernels."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike
from jaxtyping import Array
from optax.contrib import MuonDimensionNumbers, muon

from ambient_jax.types import Params

SPLIT_OUTPUTS = ("query", "key", "value")
"""Layers whose kernels `[C, heads, size]` have two output axes."""

FINAL_RATE = 0.02
"""Learning rate at the end of a run, as a share of the peak."""

Number = np.float32 | jax.Array

TINY = 1e-30
"""Smallest divisor: a gradient of zeros stays one."""

LEAST_SIDE = 8
"""Matrices with a shorter side, such as a read-out of two values, are left to AdamW."""


@runtime_checkable
class GradientTransformation(Protocol):
    """The `init` and `update` of `optax.GradientTransformation`."""

    def init(self, params: Params) -> optax.OptState:
        """Returns the state before the first step."""
        ...

    def update(
        self, updates: Params, state: optax.OptState, params: Params = None
    ) -> tuple[Params, optax.OptState]:
        """Returns the updates of a step, from its gradient, and the new state."""
        ...


def adamw(rate: optax.Schedule, weight_decay: Number) -> optax.GradientTransformation:
    """AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101)."""
    return optax.adamw(rate, b2=0.99, weight_decay=cast(float, weight_decay))


def orthogonal(
    rate: optax.Schedule, weight_decay: Number
) -> optax.GradientTransformation:
    """Muon for the kernels, AdamW for everything else.

    Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) moves a matrix along
    its orthogonalised momentum. Its steps have the size of AdamW's (Liu et al. 2025,
    arXiv 2502.16982, eq. 4), so that one learning rate serves both.
    """
    return muon(
        rate, weight_decay=cast(float, weight_decay), adam_b2=0.99, consistent_rms=0.2,
        muon_weight_dimension_numbers=matrices,
    )  # fmt: skip


Kind = Callable[[optax.Schedule, Number], optax.GradientTransformation]

KINDS: dict[str, Kind] = {"adamw": adamw, "muon": orthogonal}


@partial(
    jax.tree_util.register_dataclass, meta_fields=["kind"],
    data_fields=["learning_rate", "warmup_steps", "total_steps", "weight_decay",
                 "clip_norm"],
)  # fmt: skip
@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """Global-norm clipping, then `kind` with a warm-up / cosine learning rate.

    It has the `init` and `update` of an `optax.GradientTransformation`, and its numbers
    are leaves of a pytree: runs that differ in them alone share a compiled train step.

    Attributes:
      kind: `adamw` or `orthogonal`.
      learning_rate: peak; it is reached after `warmup_steps` and falls to 2 % of it at
        `total_steps`.
      weight_decay: times the learning rate, of all parameters.
      clip_norm: largest norm of the whole gradient.
    """

    kind: Kind
    learning_rate: Number
    warmup_steps: Number
    total_steps: Number
    weight_decay: Number
    clip_norm: Number

    def init(self, params: Params) -> optax.OptState:
        """Returns the state before the first step."""
        return self._transformation.init(params)

    def update(
        self, updates: Params, state: optax.OptState, params: Params = None
    ) -> tuple[Params, optax.OptState]:
        """Returns the updates of a step, from its gradient, and the new state."""
        return self._transformation.update(updates, state, params)

    def rate(self, step: ArrayLike) -> Array:
        """Returns the learning rate of a step."""
        step = jnp.asarray(step, jnp.float32)
        warm = step / jnp.maximum(self.warmup_steps, 1)
        left = self.total_steps - self.warmup_steps
        done = jnp.clip((step - self.warmup_steps) / jnp.maximum(left, 1), 0.0, 1.0)
        cosine = 0.5 * (1 + jnp.cos(jnp.pi * done))
        fall = FINAL_RATE + (1 - FINAL_RATE) * cosine
        rising = step < self.warmup_steps
        return self.learning_rate * jnp.where(rising, warm, fall)

    @property
    def _transformation(self) -> optax.GradientTransformation:
        kind = self.kind(self.rate, self.weight_decay)
        return optax.chain(optax.stateless(self._clipped), kind)

    def _clipped(self, updates: Params, params: Params = None) -> Params:
        """`optax.clip_by_global_norm`, which on a CPU writes all squares to memory."""
        scale = jnp.minimum(1.0, self.clip_norm / jnp.maximum(norm(updates), TINY))
        return jax.tree.map(lambda update: scale * update, updates)


def norm(tree: Params) -> Array:
    """Returns the Euclidean norm of all leaves together, a float32 scalar."""
    return jnp.sqrt(optax.tree.vdot(tree, tree))


def make_optimizer(
    *, kind: Kind = adamw, learning_rate: float, warmup_steps: int, total_steps: int,
    weight_decay: float, clip_norm: float,
) -> Optimizer:  # fmt: skip
    """Returns an `Optimizer`, whose warm-up is at most half of the run.

    Raises:
      ValueError: a rate or a norm is not above 0, or another number below it.
    """
    if learning_rate <= 0 or clip_norm <= 0 or min(warmup_steps, weight_decay) < 0:
        raise ValueError(
            "learning_rate and clip_norm must be above 0, warmup_steps and "
            f"weight_decay not below it; got {learning_rate}, {clip_norm}, "
            f"{warmup_steps}, {weight_decay}"
        )
    numbers = (learning_rate, min(warmup_steps, total_steps // 2), max(total_steps, 1))
    peak, warmup, total, decay, clip = map(
        np.float32, (*numbers, weight_decay, clip_norm)
    )
    return Optimizer(
        kind=kind, learning_rate=peak, warmup_steps=warmup, total_steps=total,
        weight_decay=decay, clip_norm=clip,
    )  # fmt: skip


def matrices(params: Params) -> Params:
    """Which axes of each kernel make up a matrix; None for what is not one.

    The last axis of a Flax kernel is its output, the others are summed over; the
    kernels of attention's query, key and value have two output axes.
    """
    return jax.tree_util.tree_map_with_path(_matrix, params)


def _matrix(path: tuple, value: jax.Array) -> MuonDimensionNumbers | None:
    names = [str(getattr(key, "key", key)) for key in path]
    if names[-1:] != ["kernel"] or value.ndim < 2:
        return None
    split = 1 if names[-2:-1] and names[-2] in SPLIT_OUTPUTS else value.ndim - 1
    sides = math.prod(value.shape[:split]), math.prod(value.shape[split:])
    if min(sides) < LEAST_SIDE:
        return None
    axes = tuple(range(value.ndim))
    return MuonDimensionNumbers(axes[:split], axes[split:])
