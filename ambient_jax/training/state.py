"""The training state: one pytree that a checkpoint holds and a step replaces."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from ambient_jax.types import Denoiser, Params, RootKey


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainState:
    """Parameters and all that the next step needs.

    Attributes:
      step: steps done.
      params: current parameters.
      ema: exponential moving average of them; what the E-step, sampling and evaluation
        use when `ema_decay > 0`.
      opt_state: of the optimizer.
      sums: sums of the metrics since they were last read, kept on the device so that
        the hot loop never waits; `count` is among them.
      bad_step: first step whose loss was not finite, -1 while there is none.
    """

    step: Int[Array, ""]
    params: Params
    ema: Params
    opt_state: Any
    sums: dict[str, Float[Array, ""]]
    bad_step: Int[Array, ""]


METRICS = ("loss", "easy_loss", "consistency_loss", "grad_norm")


def zero_sums() -> dict[str, Float[Array, ""]]:
    """Metric sums of an empty window."""
    return {name: jnp.zeros((), jnp.float32) for name in (*METRICS, "count")}


def init_state(
    denoiser: Denoiser, optimizer: optax.GradientTransformation, key: RootKey
) -> TrainState:
    """The state before the first step."""
    params = denoiser.init(key)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        ema=jax.tree.map(jnp.copy, params),
        opt_state=optimizer.init(params),
        sums=zero_sums(),
        bad_step=-jnp.ones((), jnp.int32),
    )
