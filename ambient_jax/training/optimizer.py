"""The optimizer of the M-step: AdamW, or Muon for the kernels."""

import math
from collections.abc import Callable

import jax
import optax
from optax.contrib import MuonDimensionNumbers, muon

from ambient_jax.types import Params

SPLIT_OUTPUTS = ("query", "key", "value")
"""Layers whose kernels `[C, heads, size]` have two output axes."""

LEAST_SIDE = 8
"""Matrices with a shorter side, such as a read-out of two values, are left to AdamW."""


def adamw(rate: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
    """AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101)."""
    return optax.adamw(rate, b2=0.99, weight_decay=weight_decay)


def orthogonal(
    rate: optax.Schedule, weight_decay: float
) -> optax.GradientTransformation:
    """Muon for the kernels, AdamW for everything else.

    Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) moves a matrix along
    its orthogonalised momentum. Its steps have the size of AdamW's (Liu et al. 2025,
    arXiv 2502.16982, eq. 4), so that one learning rate serves both.
    """
    return muon(
        rate, weight_decay=weight_decay, adam_b2=0.99, consistent_rms=0.2,
        muon_weight_dimension_numbers=matrices,
    )  # fmt: skip


Kind = Callable[[optax.Schedule, float], optax.GradientTransformation]

KINDS: dict[str, Kind] = {"adamw": adamw, "muon": orthogonal}


def make_optimizer(
    *, kind: Kind = adamw, learning_rate: float, warmup_steps: int, total_steps: int,
    weight_decay: float, clip_norm: float,
) -> optax.GradientTransformation:  # fmt: skip
    """Global-norm clipping, then `kind` with a warm-up / cosine learning rate.

    Args:
      learning_rate: peak; it is reached after `warmup_steps` and falls to 2 % of it.
      clip_norm: largest norm of the whole gradient.

    Raises:
      ValueError: a rate or a norm is not above 0, or another number below it.
    """
    if learning_rate <= 0 or clip_norm <= 0 or min(warmup_steps, weight_decay) < 0:
        raise ValueError(
            "learning_rate and clip_norm must be above 0, warmup_steps and "
            f"weight_decay not below it; got {learning_rate}, {clip_norm}, "
            f"{warmup_steps}, {weight_decay}"
        )
    rate = optax.warmup_cosine_decay_schedule(
        0.0, learning_rate, min(warmup_steps, total_steps // 2), max(total_steps, 1),
        end_value=0.02 * learning_rate,
    )  # fmt: skip
    return optax.chain(optax.clip_by_global_norm(clip_norm), kind(rate, weight_decay))


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
