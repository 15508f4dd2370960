"""Parameters of a finished or interrupted run, without its data."""

from pathlib import Path

import jax
import numpy as np
import optax

from ambient_jax import mesh as meshes
from ambient_jax.data.dataset import token_dtype
from ambient_jax.training.checkpoint import Checkpoints
from ambient_jax.training.progress import Position, Progress
from ambient_jax.training.state import init_state
from ambient_jax.types import Denoiser, Params


def restore_params(
    folder: Path,
    denoiser: Denoiser,
    optimizer: optax.GradientTransformation,
    num_rows: int,
    *,
    best: bool,
    ema: bool,
) -> Params:
    """The (averaged) parameters of the best or the newest checkpoint in `folder`.

    Raises:
      UserError: there is no checkpoint that is whole.
    """
    state = init_state(denoiser, optimizer, jax.random.key(0))
    template = Progress(
        state=jax.device_put(state, meshes.replicated(meshes.make_mesh())),
        completions=np.zeros(
            (num_rows, denoiser.length), token_dtype(denoiser.num_values)
        ),
        position=Position(),
    )
    checkpoints = Checkpoints(folder, keep=1, read_only=True)
    found = checkpoints.require(template, best=best)
    checkpoints.close()
    return found.state.ema if ema else found.state.params
