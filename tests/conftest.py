"""Strict: eight fake devices, no silent broadcasting, no key twice, shapes checked."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
# What the library asks for where it compiles (`compilation.jit`), here for all that the
# tests compile: half of the time.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

import jaxtyping

# Shapes and types of every annotated function are checked at each call.
jaxtyping.install_import_hook("ambient_jax", "beartype.beartype")

import jax

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
jax.config.update("jax_debug_nans", False)  # planted by a test

from ambient_jax.experiment.environment import (
    use_compilation_cache,
    use_few_cores_well,
)

use_few_cores_well()
use_compilation_cache()

import numpy as np
import pytest

from ambient_jax.data.dataset import IncompleteData
from ambient_jax.mesh import make_mesh
from tests.toys import Table, joint, rows_of


@pytest.fixture(scope="session")
def mesh():
    return make_mesh(1)


@pytest.fixture
def toy():
    """A joint over 4 binary tokens and the network that knows it exactly."""
    return Table.exact(joint(4))


@pytest.fixture
def incomplete():
    """200 rows of 6 binary tokens, 60 % missing."""
    rng = np.random.default_rng(0)
    x = rows_of(joint(6), 200, rng)
    return IncompleteData(
        tokens=np.where(rng.random(x.shape) < 0.6, 2, x).astype(np.uint8),
        shape=(6,),
        num_values=2,
    )
