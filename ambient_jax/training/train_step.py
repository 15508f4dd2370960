"""The one jitted train step, for every configuration and any number of devices."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Float

from ambient_jax import mesh as meshes
from ambient_jax.compilation import jit
from ambient_jax.diffusion.masked.objective import Batch, Objective
from ambient_jax.training.state import TrainState
from ambient_jax.types import Denoiser, RootKey

Metrics = dict[str, Float[Array, ""]]
TrainStep = Callable[[TrainState, Batch, RootKey], tuple[TrainState, Metrics]]


def train_step(
    state: TrainState,
    batch: Batch,
    key: RootKey,
    *,
    denoiser: Denoiser,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    ema_decay: float,
) -> tuple[TrainState, Metrics]:
    """One step: loss, gradient, update, moving average, metric sums. Pure.

    `key` is the run's; the step's own is `fold_in(key, state.step)`, so that a resumed
    run draws what it would have drawn. The metrics are those of this step; their sums
    stay in the state, so that the loop need not fetch them.
    """

    def loss_fn(params):
        key_now = jax.random.fold_in(key, state.step)
        return objective(denoiser, params, batch, state.step, key_now, state.ema)

    (loss, parts), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    step = state.step.astype(jnp.float32)
    decay = jnp.minimum(ema_decay, (1.0 + step) / (10.0 + step))
    metrics = parts | {"grad_norm": optax.global_norm(grads), "count": jnp.ones(())}
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
    denoiser: Denoiser,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    ema_decay: float,
) -> TrainStep:
    """`train_step` jitted over the mesh; the state is donated and replicated."""

    def step(state: TrainState, batch: Batch, key: RootKey):
        return train_step(
            state, batch, key, denoiser=denoiser, objective=objective,
            optimizer=optimizer, ema_decay=ema_decay,
        )  # fmt: skip

    whole, split = meshes.replicated(mesh), meshes.rows(mesh)
    return jit(
        step,
        in_shardings=(whole, split, whole),
        out_shardings=(whole, whole),
        donate_argnames="state",
    )
