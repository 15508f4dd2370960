"""Shapes, dtypes and padding of the functions that run a network over rows."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.inference.row_functions import LEVELS, RowFunctions
from ambient_jax.inference.row_map import RowMap
from ambient_jax.mesh import make_mesh
from tests.toys import Table, joint, rows_of

LENGTH, ROWS = 4, 21
NETWORK, PARAMS = Table.exact(joint(LENGTH))
KEY = jax.random.key(5)


@pytest.fixture(scope="module")
def functions():
    return RowFunctions(NETWORK, make_mesh(1), 8, Sampler(num_reveals=2))


@pytest.fixture(scope="module")
def x():
    return rows_of(joint(LENGTH), ROWS, np.random.default_rng(0))


def masked(x):
    hide = np.random.default_rng(1).random(x.shape) < 0.5
    return np.where(hide, 2, x).astype(np.uint8)


def test_shapes_and_dtypes_of_every_function(functions, x):
    z, everything = masked(x), np.ones(x.shape, bool)
    call = {
        "draw": (z,), "marginals": (z,), "logits": (z,),
        "elbo": (x, everything), "chain_rule": (x, everything), "defect": (x,),
        "order_gap": (x,), "numbered_draw": (z, np.arange(len(z), dtype=np.uint32)),
    }  # fmt: skip
    found = {name: getattr(functions, name)(PARAMS, KEY, *rows)
             for name, rows in call.items()}  # fmt: skip
    mode, mean = found.pop("marginals")
    chex.assert_shape([found["draw"], mode, mean], x.shape)
    chex.assert_type([found["draw"], found["numbered_draw"], mode], jnp.int32)
    chex.assert_shape(found["logits"], (ROWS, LENGTH, 2))
    chex.assert_shape(found["elbo"], (ROWS, LEVELS))
    chex.assert_shape(
        [found["chain_rule"], found["defect"], found["order_gap"]], (ROWS,)
    )
    floats = [mean, *(v for name, v in found.items() if "draw" not in name)]
    chex.assert_type(floats, jnp.float32)
    chex.assert_tree_all_finite(floats)
    assert set(call) == {
        name for name in dir(RowFunctions)
        if not name.startswith("_") and name != "for_few"
    }  # fmt: skip


def test_batch_size_padding_and_devices_change_nothing(functions, x):
    z = masked(x)
    expected = functions.draw(PARAMS, KEY, z)
    for devices, batch in ((1, 21), (1, 64), (8, 8), (4, 16)):
        other = RowFunctions(NETWORK, make_mesh(devices), batch, Sampler(num_reveals=2))
        chex.assert_trees_all_equal(other.draw(PARAMS, KEY, z), expected)
    few = functions.for_few(3)
    assert few.batch_size == 3
    chex.assert_trees_all_equal(few.draw(PARAMS, KEY, z[:3]), expected[:3])
    # A row's key follows its id, not its place.
    ids = np.arange(ROWS)[::-1].copy()
    chex.assert_trees_all_equal(
        functions.draw(PARAMS, KEY, z[ids], ids=ids), expected[ids]
    )
    assert (functions.draw(PARAMS, jax.random.key(6), z) != expected).any()


def test_a_row_map_traces_once_and_goes_on_from_any_row(mesh):
    @chex.assert_max_traces(n=1)
    def function(params, keys, rows, context=None):
        chex.assert_shape([rows, context], (4, 3))
        chex.assert_shape(keys, (4,))
        return {"sum": rows.sum(axis=1) + params, "context": context}

    row_map = RowMap(function, mesh, 4)
    rows = np.arange(30.0, dtype=np.float32).reshape(10, 3)
    found = row_map(np.float32(1.0), KEY, rows, context=-rows)
    chex.assert_trees_all_close(found, {"sum": rows.sum(axis=1) + 1, "context": -rows})
    rest = list(row_map.batches(np.float32(1.0), KEY, rows, context=-rows, start=4))
    assert [where for where, _ in rest] == [slice(4, 8), slice(8, 10)]
    chex.assert_shape(rest[-1][1]["sum"], (2,))
