"""Builds the parts of a Gaussian run from its config, before anything is written."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ambient_jax.assembly.assemble import assemble
from ambient_jax.data.continuous import ContinuousDataset
from ambient_jax.evaluation.gaussian import GaussianEvaluators
from ambient_jax.evaluation.gaussian_pictures import GaussianGallery
from ambient_jax.evaluation.posterior_means import PosteriorMeans
from ambient_jax.evaluation.suite import Suite
from ambient_jax.experiment import gaussian_build
from ambient_jax.experiment.config import Config
from ambient_jax.experiment.environment import git_revision
from ambient_jax.experiment.setup import Setup
from ambient_jax.inference.gaussian_functions import GaussianFunctions
from ambient_jax.inference.row_map import seconds
from ambient_jax.mesh import make_mesh
from ambient_jax.types import Params, RootKey


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
    gaussian_build.check_numbers(config)
    mesh, dataset = make_mesh(), gaussian_build.dataset(config)
    noise, e = gaussian_build.network_noise(config, dataset.scaling), config.eval
    network = gaussian_build.denoiser(config, dataset.train.shape)
    settings = gaussian_build.settings(config, noise)
    visible = gaussian_build.visible_share(config, dataset.observed_share)
    functions = GaussianFunctions(
        network, mesh, settings.estep_batch_size,
        gaussian_build.completer(config, settings), visible, before_batch,
    )  # fmt: skip
    means = PosteriorMeans(
        functions=functions, scaling=dataset.scaling, num_draws=e.num_draws
    )
    return Setup(
        config=config, mesh=mesh, dataset=dataset,
        trainer=assemble(network, dataset.train, settings, mesh),
        suite=Suite(evaluators=GaussianEvaluators(
            means=means, dataset=dataset, noise=noise, round_rows=e.round_rows,
            num_samples=e.num_samples, num_interval_rows=e.num_interval_rows,
            cache=cache,
        )),
        gallery=GaussianGallery(means=means, dataset=dataset),
        lines=_introduction(dataset, config.data.noise),
        time_pass=partial(_time_pass, functions, dataset),
        which=gaussian_build.choose("eval.checkpoint", {"last": "last"}, e.checkpoint),
        revision=git_revision(),
    )  # fmt: skip


def _introduction(data: ContinuousDataset, noise: float) -> tuple[str, ...]:
    shape = "x".join(map(str, data.train.shape))
    tests = len(data.held_out.test) if data.held_out else 0
    noisy = f", noise {noise:g}" if noise else ""
    return (
        f"data {data.name}: {len(data.train)} + {tests} rows (train + test) of {shape} "
        f"numbers{noisy}; {data.observed_share:.1%} of the training cells are observed",
    )


def _time_pass(
    functions: GaussianFunctions, data: ContinuousDataset, params: Params, key: RootKey
) -> tuple[float, float]:
    """See `Setup.time_pass`; of a draw of missing cells."""
    rows = data.train.rows[: functions.batch_size]
    numbers = np.zeros(len(rows), np.uint32)
    if functions.visible_share is None:
        taken, first = seconds(
            lambda: functions.numbered_draw(params, key, rows, numbers)
        )
    else:
        taken, first = seconds(lambda: functions.sample(params, key, rows))
    return taken / (functions.batch_size * functions.completer.sampler.passes), first
