"""Builds the parts of a run from its config, before anything is written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
from jax.sharding import Mesh

from ambient_jax.assembly.assemble import assemble
from ambient_jax.data.dataset import Dataset
from ambient_jax.errors import UserError
from ambient_jax.evaluation.masked import MaskedEvaluators
from ambient_jax.evaluation.pictures import Gallery
from ambient_jax.evaluation.suite import Suite
from ambient_jax.experiment import build
from ambient_jax.experiment.config import Config
from ambient_jax.experiment.environment import git_revision
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.mesh import make_mesh
from ambient_jax.training.checkpoint import Checkpoints
from ambient_jax.training.progress import Progress
from ambient_jax.training.trainer import Trainer
from ambient_jax.types import Params

GALLERY_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The parts of a run that is ready to start.

    Attributes:
      functions: those of the suite, compiled once.
      which: the checkpoint that the final figures are computed from, `best` or `last`.
      revision: git revision of the source at the start of this process.
    """

    config: Config
    mesh: Mesh
    dataset: Dataset
    trainer: Trainer
    functions: RowFunctions
    suite: Suite
    gallery: Gallery
    which: str
    revision: str | None

    def final(self, checkpoints: Checkpoints, last: Progress) -> Progress:
        """The progress that the final figures are taken from."""
        best = checkpoints.restore_best(last) if self.which == "best" else None
        return best or last

    def params(self, progress: Progress) -> Params:
        """The parameters that draw and score."""
        return self.trainer.sampling_params(progress)


def make(
    config: Config, cache: Path, before_batch: Callable[[], None] | None = None
) -> Setup:
    """Loads the data and builds everything. Writes nothing.

    Args:
      config: of the run.
      cache: file for the classifier of samples.
      before_batch: called before each batch of an evaluation; it may raise.

    Raises:
      UserError: a field or the data are not usable.
    """
    build.check_numbers(config)
    mesh, dataset = make_mesh(), build.dataset(config)
    train, e = dataset.train, config.eval
    network = build.denoiser(config, train.shape, train.num_values)
    settings = build.settings(config)
    trainer = assemble(network, train, settings, mesh)
    sampler, batch = settings.sampler, settings.estep_batch_size
    small = GALLERY_BATCH * mesh.size
    functions = RowFunctions(network, mesh, batch, sampler, before_batch)
    return Setup(
        config=config, mesh=mesh, dataset=dataset, trainer=trainer, functions=functions,
        suite=Suite(evaluators=MaskedEvaluators(
            functions=functions, dataset=dataset, round_rows=e.round_rows,
            num_draws=e.num_draws,
            num_exact=e.num_exact, num_samples=e.num_samples, cache=cache,
        )),
        gallery=Gallery(
            functions=RowFunctions(network, mesh, small, sampler, before_batch),
            dataset=dataset,
        ),
        which=which_checkpoint(config),
        revision=git_revision(),
    )  # fmt: skip


def which_checkpoint(config: Config) -> str:
    """`config.eval.checkpoint`, checked."""
    return build.choose(
        "eval.checkpoint", {"best": "best", "last": "last"}, config.eval.checkpoint
    )


def check_network(setup: Setup) -> int:
    """Number of parameters; what the network refuses is the user's to mend."""
    try:
        shapes = jax.eval_shape(setup.trainer.denoiser.init, jax.random.key(0))
    except Exception as error:  # Flax and JAX raise many kinds
        line = " ".join(str(error).split())[:200]
        raise UserError(f"config.network: {line}") from error
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))
