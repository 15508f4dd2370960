"""Parameters of a finished or interrupted run, without its data."""

from pathlib import Path

import jax
import numpy as np

from ambient_jax import mesh as meshes
from ambient_jax.family import Objective
from ambient_jax.training.checkpoint import Checkpoints
from ambient_jax.training.optimizer import GradientTransformation
from ambient_jax.training.progress import Position, Progress
from ambient_jax.training.state import init_state
from ambient_jax.types import Network, Params


def restore_params(
    folder: Path,
    denoiser: Network,
    objective: Objective,
    optimizer: GradientTransformation,
    *,
    best: bool,
    ema: bool,
) -> Params:
    """Returns the parameters of the best or the newest checkpoint in `folder`.

    Args:
      folder: the checkpoints of a run. Nothing is changed there.
      denoiser, objective, optimizer: as the run was trained.
      best: whether the checkpoint with the lowest score is preferred to the newest.
      ema: whether the averaged parameters are returned.

    Raises:
      UserError: no checkpoint is complete.
    """
    state = init_state(denoiser, objective, optimizer, jax.random.key(0))
    template = Progress(
        state=jax.device_put(state, meshes.replicated(meshes.make_mesh())),
        completions=np.zeros(0),
        position=Position(),
    )
    checkpoints = Checkpoints(folder, keep=1, read_only=True)
    found = checkpoints.require(template, best=best)
    checkpoints.close()
    return found.state.ema if ema else found.state.params
