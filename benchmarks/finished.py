"""The model and the data of a finished run, for benchmarks that look at one."""

from pathlib import Path

from ml_collections import ConfigDict

from ambient_jax.experiment import environment, setup
from ambient_jax.experiment.workdir import Workdir
from ambient_jax.training.checkpoint import Checkpoints
from ambient_jax.types import Params


def load(folder: str) -> tuple[setup.Setup, Params]:
    """The run's objects, and the parameters that its final figures were taken with."""
    environment.quiet_libraries()
    environment.use_few_cores_well()
    environment.use_compilation_cache()
    workdir = Workdir(folder)
    made = setup.make(ConfigDict(workdir.config()), workdir / "classifier.npz")
    checkpoints = Checkpoints(Path(folder) / "checkpoints", 1, read_only=True)
    start = made.trainer.start()
    progress = made.final(checkpoints, checkpoints.restore(start) or start)
    checkpoints.close()
    return made, made.params(progress)
