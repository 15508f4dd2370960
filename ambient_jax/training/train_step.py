"""The one compiled train step, for every family and any number of devices."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from ambient_jax import mesh as meshes
from ambient_jax.compilation import Structure, partition, shared
from ambient_jax.family import Batch, Metrics, Objective
from ambient_jax.training.optimizer import GradientTransformation, norm
from ambient_jax.training.state import TrainState
from ambient_jax.types import Network, RootKey

TrainStep = Callable[[TrainState, Batch, RootKey], tuple[TrainState, Metrics]]


def train_step(
    state: TrainState,
    batch: Batch,
    key: RootKey,
    *,
    denoiser: Network,
    objective: Objective,
    optimizer: GradientTransformation,
    ema_decay: float,
) -> tuple[TrainState, Metrics]:
    """Computes the loss and its gradient, and updates parameters, average and sums.

    Pure. The key of a step is `fold_in(key, state.step)`, so that a resumed run draws
    what it would have drawn.

    Args:
      state: the state before the step.
      batch: rows, split over the devices.
      key: of the run.
      denoiser, objective, optimizer, ema_decay: static settings. The decay is smaller
        in the first steps: `min(ema_decay, (1 + step) / (10 + step))`.

    Returns:
      The new state, and the metrics of this step. Their sums stay in the state.
    """

    def loss_fn(params):
        key_now = jax.random.fold_in(key, state.step)
        return objective(denoiser, params, batch, state.step, key_now, state.ema)

    (loss, parts), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    step = state.step.astype(jnp.float32)
    decay = jnp.minimum(ema_decay, (1.0 + step) / (10.0 + step))
    metrics = parts | {"grad_norm": norm(grads), "count": jnp.ones(())}
    good = jnp.isfinite(loss) | (state.bad_step >= 0)
    new = TrainState(
        step=state.step + 1,
        params=params,
        ema=optax.incremental_update(params, state.ema, 1.0 - decay),
        opt_state=opt_state,
        sums={
            name: total + metrics.get(name, 0.0) for name, total in state.sums.items()
        },
        bad_step=jnp.where(good, state.bad_step, state.step),
    )
    return new, metrics


def compile_train_step(
    mesh: Mesh,
    *,
    denoiser: Network,
    objective: Objective,
    optimizer: GradientTransformation,
    ema_decay: float,
) -> TrainStep:
    """Compiles `train_step` over the mesh; once for all runs of like shapes.

    The state is replicated and donated, the batch is split over the `data` axis. Arrays
    of the network and numbers of the optimizer are arguments of the program.
    """
    arrays, structure = partition((denoiser, objective, optimizer))
    whole, split = meshes.replicated(mesh), meshes.rows(mesh)
    step = shared(
        _step, structure, ema_decay, in_shardings=(whole, whole, split, whole),
        out_shardings=(whole, whole), donate_argnums=1,
    )  # fmt: skip
    return partial(step, jax.device_put(arrays, whole))


def _step(structure: Structure, ema_decay: float, arrays, state, batch, key):
    denoiser, objective, optimizer = structure.with_arrays(arrays)
    return train_step(
        state, batch, key, denoiser=denoiser, objective=objective,
        optimizer=optimizer, ema_decay=ema_decay,
    )  # fmt: skip
