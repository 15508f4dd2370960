"""What the protocol promises, of every network."""

from functools import cache

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from ambient_jax.networks.column_network import ColumnNetwork
from ambient_jax.networks.text_transformer import TextTransformer
from ambient_jax.networks.transformer import Transformer
from ambient_jax.networks.unet import UNet
from ambient_jax.types import Denoiser
from tests.networks.toy_columns import toy_factors, toy_tables

LENGTH, VALUES = 35, 3
TABLES = toy_tables(LENGTH, VALUES, numbers=20, absent=0)
NETWORKS = {
    "unet": lambda dtype: UNet(
        shape=(5, 7), num_values=3, widths=(8, 16), num_heads=2, dtype=dtype
    ),
    "transformer": lambda dtype: Transformer(
        length=35, num_values=3, width=8, depth=1, num_heads=2, dtype=dtype
    ),
    "text": lambda dtype: TextTransformer(
        length=35, num_values=3, width=8, depth=1, num_heads=2, dtype=dtype
    ),
    "columns_dense": lambda dtype: ColumnNetwork(
        tables=TABLES, width=8, depth=1, embed=4, dtype=dtype
    ),
    "columns_attention": lambda dtype: ColumnNetwork(
        tables=TABLES, factors=toy_factors(TABLES), mixer="attention", width=8, depth=1,
        embed=4, dtype=dtype,
    ),
}  # fmt: skip


@cache
def made(name, dtype="float32"):
    """A network with random parameters everywhere (blocks start at zero)."""
    network = NETWORKS[name](dtype)
    params = network.init(jax.random.key(0))
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(1)
    noisy = [x + 0.3 * rng.normal(size=x.shape).astype(np.float32) for x in leaves]
    return network, jax.tree.unflatten(tree, noisy)


@cache
def compiled(name):
    """Parameters of a network, and its compiled `apply`."""
    network, params = made(name)
    return params, jax.jit(network.apply)


def states(count=4):
    """Rows from all masked to complete."""
    rng = np.random.default_rng(0)
    x, u = rng.integers(0, 3, (count, 35)), rng.random((count, 35))
    return jnp.asarray(np.where(u < np.linspace(1, 0, count)[:, None], 3, x))


class ProtocolTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    @parameterized.product(name=list(NETWORKS), dtype=["float32", "bfloat16"])
    def test_logits_are_float32_whatever_the_compute_type(self, name, dtype):
        network, params = made(name, dtype)
        assert isinstance(network, Denoiser)
        assert (network.length, network.num_values) == (LENGTH, VALUES)
        chex.assert_type(jax.tree.leaves(params), jnp.float32)
        logits = self.variant(network.apply)(params, states())
        chex.assert_shape(logits, (4, LENGTH, VALUES))
        chex.assert_type(logits, jnp.float32)
        chex.assert_tree_all_finite(logits)
        # Not bfloat16 values in a wider coat: the read-out itself is float32.
        rounded = logits.astype(jnp.bfloat16).astype(jnp.float32)
        assert not np.array_equal(logits, rounded)


@pytest.mark.parametrize("name", NETWORKS)
def test_jit_does_not_change_the_predictions(name):
    network, params = made(name)
    plain = network.apply(params, states())
    chex.assert_trees_all_close(compiled(name)[1](params, states()), plain, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_visible_token_reaches_every_prediction(name):
    params, apply = compiled(name)
    z = states(2)[1:]
    base = np.asarray(apply(params, z))
    for place in (0, 17, 34):
        changed = z.at[0, place].set((z[0, place] + 1) % 3)
        difference = np.abs(apply(params, changed) - base).max(axis=-1)
        assert (difference > 0).all(), place


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_does_not_depend_on_the_others(name):
    params, apply = compiled(name)
    z = states()
    whole, alone = apply(params, z), apply(params, z[2:3])
    chex.assert_trees_all_close(whole[2:3], alone, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_compiles_once_for_batches_of_one_shape(name):
    network, params = made(name)

    def apply(params, z):
        return network.apply(params, z)

    chex.clear_trace_counter()
    traced = jax.jit(chex.assert_max_traces(apply, n=1)).trace
    for z in (states(), 3 - states()):
        traced(params, z)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_gradient_adds_up_a_batch_at_a_few_places(name):
    """A scatter onto the rows of a small table is what a GPU does slowest."""
    network, params = made(name)
    loss = jax.jit(jax.grad(lambda p: network.apply(p, states()).sum()))
    assert "scatter" not in loss.lower(params).as_text()


def test_widths_of_a_unet_that_are_too_small_are_refused():
    for widths in ((), (8, 2)):
        with pytest.raises(ValueError, match="widths must be at least 4"):
            UNet(shape=(5, 7), num_values=3, widths=widths)
