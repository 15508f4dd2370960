"""The model and the data of a finished run, for benchmarks that look at one."""

from ml_collections import ConfigDict

from ambient_jax.experiment import environment, modes, setup
from ambient_jax.experiment.workdir import Workdir
from ambient_jax.types import Params


def load(folder: str) -> tuple[setup.Setup, Params]:
    """The run's objects, and the parameters that its final figures were taken with."""
    environment.quiet_libraries()
    environment.use_few_cores_well()
    environment.use_compilation_cache()
    workdir = Workdir(folder)
    config = ConfigDict(workdir.config())
    made = setup.make(config, workdir / "classifier.npz")
    return made, modes.load_model(workdir, config).params
