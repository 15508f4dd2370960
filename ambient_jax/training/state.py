"""The training state: the pytree that a train step replaces and a checkpoint holds."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ambient_jax.compilation import Structure, partition, shared
from ambient_jax.family import Objective
from ambient_jax.training.optimizer import GradientTransformation
from ambient_jax.types import Network, Params, RootKey


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainState:
    """Parameters and everything else that the next train step needs.

    Attributes:
      step: number of steps done.
      params: current parameters.
      ema: their exponential moving average, which the E-step, sampling and evaluation
        use when `ema_decay > 0`.
      opt_state: state of the optimizer.
      sums: sums of the metrics since they were last read, and their `count`. They stay
        on the device, so that the loop over steps never waits for it.
      bad_step: first step whose loss was not finite; -1 while there is none.
    """

    step: Int[Array, ""]
    params: Params
    ema: Params
    opt_state: Any
    sums: dict[str, Float[Array, ""]]
    bad_step: Int[Array, ""]


def metric_names(objective: Objective) -> tuple[str, ...]:
    """Names of the metrics that a train step sums: the objective's and its own."""
    return (*objective.metric_names, "grad_norm", "count")


def zero_sums(names: Iterable[str]) -> dict[str, Float[Array, ""]]:
    """Metric sums of an empty window."""
    return {name: jnp.zeros((), jnp.float32) for name in names}


def init_state(
    denoiser: Network,
    objective: Objective,
    optimizer: GradientTransformation,
    key: RootKey,
) -> TrainState:
    """Returns the state before the first step; the average equals the parameters."""
    arrays, structure = partition((denoiser, optimizer))
    start = shared(_init, structure, metric_names(objective), level=0)
    return start(arrays, key)


def _init(structure: Structure, names: tuple[str, ...], arrays, key) -> TrainState:
    denoiser, optimizer = structure.with_arrays(arrays)
    params = denoiser.init(key)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        ema=jax.tree.map(jnp.copy, params),
        opt_state=optimizer.init(params),
        sums=zero_sums(names),
        bad_step=-jnp.ones((), jnp.int32),
    )
