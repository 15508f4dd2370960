"""What the protocol promises, of both networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.networks.blocks import Embed
from ambient_jax.networks.transformer import Transformer
from ambient_jax.networks.unet import UNet
from ambient_jax.types import Denoiser

NETWORKS = {
    "unet": lambda dtype: UNet(
        shape=(5, 7), num_values=3, widths=(8, 16), num_heads=2, dtype=dtype
    ),
    "transformer": lambda dtype: Transformer(
        length=35, num_values=3, width=8, depth=1, num_heads=2, dtype=dtype
    ),
}


def made(name, dtype="float32"):
    """A network with random parameters everywhere (blocks start at zero)."""
    network = NETWORKS[name](dtype)
    params = network.init(jax.random.key(0))
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(1)
    noisy = [x + 0.3 * rng.normal(size=x.shape).astype(np.float32) for x in leaves]
    return network, jax.tree.unflatten(tree, noisy)


def states(count=4):
    """Rows from all masked to complete."""
    rng = np.random.default_rng(0)
    x, u = rng.integers(0, 3, (count, 35)), rng.random((count, 35))
    return jnp.asarray(np.where(u < np.linspace(1, 0, count)[:, None], 3, x))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_logits_are_float32_whatever_the_compute_type(name, dtype):
    network, params = made(name, dtype)
    assert isinstance(network, Denoiser)
    assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(params))
    logits = network.apply(params, states())
    assert logits.shape == (4, 35, 3)
    assert logits.dtype == jnp.float32
    assert np.isfinite(logits).all()
    # Not bfloat16 values in a wider coat: the read-out itself is float32.
    assert not np.array_equal(logits, logits.astype(jnp.bfloat16).astype(jnp.float32))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_visible_token_reaches_every_prediction(name):
    network, params = made(name)
    z = states(2)[1:]
    base = np.asarray(network.apply(params, z))
    for place in (0, 17, 34):
        changed = z.at[0, place].set((z[0, place] + 1) % 3)
        difference = np.abs(network.apply(params, changed) - base).max(axis=-1)
        assert (difference > 0).all(), place


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_does_not_depend_on_the_others(name):
    network, params = made(name)
    z = states()
    whole, alone = network.apply(params, z), network.apply(params, z[2:3])
    np.testing.assert_allclose(whole[2:3], alone, atol=1e-4)


def test_an_embedding_is_the_row_of_the_table_or_zeros_beyond_it():
    embed, z = Embed(num_tokens=3, width=4), jnp.asarray([[0, 2], [1, 3]])
    params = embed.init(jax.random.key(0), z)
    table = np.asarray(params["params"]["embedding"])
    expected = np.concatenate([table, np.zeros((1, 4), np.float32)])[np.asarray(z)]
    np.testing.assert_array_equal(embed.apply(params, z), expected)
    gradient = jax.grad(lambda p: embed.apply(p, z)[:, 1].sum())(params)
    np.testing.assert_array_equal(
        gradient["params"]["embedding"][:, 0], np.float32([0, 0, 1])
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_no_gradient_adds_up_a_batch_at_a_few_places(name):
    """A scatter onto the rows of a small table is what a GPU does slowest."""
    network, params = made(name)
    loss = jax.jit(jax.grad(lambda p: network.apply(p, states()).sum()))
    assert "scatter" not in loss.lower(params).as_text()
