"""Builds the parts of a run from its config, before anything is written."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import jax
import numpy as np
from jax.sharding import Mesh

from ambient_jax.assembly.assemble import assemble
from ambient_jax.data.continuous import ContinuousDataset
from ambient_jax.data.dataset import Dataset
from ambient_jax.errors import UserError
from ambient_jax.evaluation.masked import MaskedEvaluators
from ambient_jax.evaluation.pictures import Gallery
from ambient_jax.evaluation.suite import Suite
from ambient_jax.experiment import build
from ambient_jax.experiment.config import Config
from ambient_jax.experiment.environment import git_revision
from ambient_jax.inference.row_functions import LEVELS, RowFunctions
from ambient_jax.inference.row_map import seconds
from ambient_jax.mesh import make_mesh
from ambient_jax.training.checkpoint import Checkpoints
from ambient_jax.training.progress import Progress
from ambient_jax.training.trainer import Trainer
from ambient_jax.types import Params, RootKey

GALLERY_BATCH = 16


@runtime_checkable
class Pictures(Protocol):
    """Draws the arrays of `pictures.npz`, see `evaluation.pictures.Gallery`."""

    @property
    def row_passes(self) -> int:
        """What a call costs, in forward passes of the network times rows."""
        ...

    def __call__(
        self, params: Params, completions: np.ndarray, key: RootKey
    ) -> dict[str, np.ndarray]: ...


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The parts of a run that is ready to start, of any family.

    Attributes:
      lines: what the first lines of a run say of its data.
      time_pass: `(params, key) -> (seconds per row and forward pass, seconds of one
        compilation)` of an evaluation.
      which: the checkpoint that the final figures are computed from, `best` or `last`.
      revision: git revision of the source at the start of this process.
    """

    config: Config
    mesh: Mesh
    dataset: Dataset | ContinuousDataset
    trainer: Trainer
    suite: Suite
    gallery: Pictures
    lines: tuple[str, ...]
    time_pass: Callable[[Params, RootKey], tuple[float, float]]
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
        config=config, mesh=mesh, dataset=dataset, trainer=trainer,
        lines=_introduction(dataset), time_pass=partial(_time_pass, functions, dataset),
        suite=Suite(evaluators=MaskedEvaluators(
            functions=functions, dataset=dataset, round_rows=e.round_rows,
            num_draws=e.num_draws,
            num_exact=e.num_exact, num_samples=e.num_samples,
            num_interval_rows=e.num_interval_rows, cache=cache,
        )),
        gallery=Gallery(
            functions=RowFunctions(network, mesh, small, sampler, before_batch),
            dataset=dataset,
        ),
        which=which_checkpoint(config),
        revision=git_revision(),
    )  # fmt: skip


def _introduction(data: Dataset) -> tuple[str, ...]:
    """Sizes of the data, and a hint where values are numbered with gaps."""
    shape = "x".join(map(str, data.train.shape))
    tests = len(data.held_out.test) if data.held_out else 0
    sizes = (
        f"data {data.name}: {len(data.train)} + {len(data.valid)} + {tests} rows "
        f"(train + valid + test) of {shape} tokens, {data.train.num_values} values; "
        f"{data.observed_share:.1%} of the training cells are observed"
    )
    seen = len(np.unique(data.train.tokens[data.train.observed]))
    if seen > data.train.num_values // 2:
        return (sizes,)
    return sizes, (
        f"hint: only {seen} of the {data.train.num_values} values occur; numbered "
        "0.. without gaps (np.unique, return_inverse) they are learned faster"
    )


def _time_pass(
    functions: RowFunctions, dataset: Dataset, params: Params, key: RootKey
) -> tuple[float, float]:
    """See `Setup.time_pass`; of the likelihood."""
    size, valid = functions.batch_size, dataset.valid
    rows, scored = valid.tokens[:size], valid.observed[:size]
    taken, first = seconds(lambda: functions.elbo(params, key, rows, scored))
    return taken / (size * LEVELS), first


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
