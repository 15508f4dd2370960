"""Builds the parts of a run by the family that its config names."""

from collections.abc import Callable
from pathlib import Path

from ambient_jax.experiment import gaussian_setup, setup
from ambient_jax.experiment.config import Config
from ambient_jax.experiment.gaussian_build import is_gaussian
from ambient_jax.experiment.setup import Setup


def make(
    config: Config, cache: Path, before_batch: Callable[[], None] | None = None
) -> Setup:
    """Loads the data and builds everything, see `setup.make`.

    A config without a field `family` is one of masked diffusion.
    """
    if is_gaussian(config):
        return gaussian_setup.make(config, cache, before_batch)
    return setup.make(config, cache, before_batch)
