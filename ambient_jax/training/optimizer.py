"""Optimizers, each with global-norm clipping and a warm-up / cosine learning rate."""

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


def adamw(
    *, learning_rate: float, warmup_steps: int, total_steps: int, weight_decay: float,
    clip_norm: float,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101).

    Args:
      learning_rate: peak; it is reached after `warmup_steps` and falls to 2 % of it.
      clip_norm: largest norm of the whole gradient.

    Raises:
      ValueError: a rate or a norm is not above 0, or another number below it.
    """
    rate = _rate(learning_rate, warmup_steps, total_steps, weight_decay, clip_norm)
    return optax.chain(
        optax.clip_by_global_norm(clip_norm),
        optax.adamw(rate, b2=0.99, weight_decay=weight_decay),
    )


def orthogonal(
    *, learning_rate: float, warmup_steps: int, total_steps: int, weight_decay: float,
    clip_norm: float,
) -> optax.GradientTransformation:  # fmt: skip
    """Muon for the kernels, AdamW for everything else. Arguments as of `adamw`.

    Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) moves a matrix along
    its orthogonalised momentum. Its steps have the size of AdamW's (Liu et al. 2025,
    arXiv 2502.16982, eq. 4), so that one learning rate serves both.
    """
    rate = _rate(learning_rate, warmup_steps, total_steps, weight_decay, clip_norm)
    return optax.chain(
        optax.clip_by_global_norm(clip_norm),
        muon(
            rate, weight_decay=weight_decay, adam_b2=0.99, consistent_rms=0.2,
            muon_weight_dimension_numbers=matrices,
        ),
    )  # fmt: skip


OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "muon": orthogonal,
    "adamw": adamw,
}


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


def _rate(
    learning_rate: float, warmup_steps: int, total_steps: int, weight_decay: float,
    clip_norm: float,
) -> optax.Schedule:  # fmt: skip
    if learning_rate <= 0 or clip_norm <= 0 or min(warmup_steps, weight_decay) < 0:
        raise ValueError(
            "learning_rate and clip_norm must be above 0, warmup_steps and "
            f"weight_decay not below it; got {learning_rate}, {clip_norm}, "
            f"{warmup_steps}, {weight_decay}"
        )
    return optax.warmup_cosine_decay_schedule(
        0.0, learning_rate, min(warmup_steps, total_steps // 2), max(total_steps, 1),
        end_value=0.02 * learning_rate,
    )  # fmt: skip
