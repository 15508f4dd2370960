"""The U-Net of continuous pictures: what every Gaussian denoiser promises."""

from functools import cache

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.networks.edm_unet import EdmUNet
from ambient_jax.types import GaussianDenoiser

SHAPES = {"grey": (5, 7), "colour": (2, 5, 4)}


@cache
def made(name, masked=False):
    """A small network with random parameters everywhere, and its compiled `apply`."""
    network = EdmUNet(
        shape=SHAPES[name], widths=(4, 8), bottom_blocks=1, num_heads=2, masked=masked
    )
    params, rng = network.init(jax.random.key(0)), np.random.default_rng(1)
    params = jax.tree.map(
        lambda p: p + 0.3 * rng.normal(size=p.shape).astype(np.float32), params
    )
    return network, params, jax.jit(network.apply)


def rows(network, count=3):
    x = np.random.default_rng(0).normal(size=(count, network.length))
    return jnp.asarray(x, jnp.float32)


@pytest.mark.parametrize("name", SHAPES)
def test_rows_of_any_picture_come_back_as_float32_rows(name):
    network, params, apply = made(name)
    assert isinstance(network, GaussianDenoiser)
    x, sigma = rows(network), jnp.full((3, 1), 0.5)
    found = apply(params, x, sigma)
    chex.assert_shape(found, x.shape)
    chex.assert_type(found, jnp.float32)
    chex.assert_trees_all_close(apply(params, x[1:2], sigma[:1]), found[1:2], atol=1e-4)


def test_the_raw_network_reads_the_noise_level():
    """Not only the preconditioning, whose part is taken out."""
    network, params, apply = made("grey")
    own = network.preconditioning
    scaled = rows(network, 1)
    raw = []
    for level in (0.1, 3.0):
        sigma = jnp.full((1, 1), level)
        x = scaled / own.scale_in(sigma)
        raw.append((apply(params, x, sigma) - own.skip(sigma) * x) / own.out(sigma))
    assert np.abs(raw[0] - raw[1]).max() > 0.1


def test_it_starts_as_the_skip_connection():
    network, _, _ = made("grey")
    x, sigma = rows(network), jnp.asarray([[0.01], [0.5], [9.0]])
    start = network.apply(network.init(jax.random.key(0)), x, sigma)
    skip = network.preconditioning.skip(sigma)
    np.testing.assert_allclose(start, skip * x, rtol=1e-6)


def test_a_channel_and_a_pixel_reach_every_prediction_of_their_own_row():
    network, params, apply = made("colour")
    x, sigma = rows(network, 2), jnp.full((2, 1), 0.5)
    moved = np.abs(apply(params, x.at[0, 21].add(1.0), sigma) - apply(params, x, sigma))
    assert (moved[0] > 0).all()
    assert (moved[1] == 0).all()


def test_cells_of_a_channel_are_those_of_the_row():
    """A network of zeros whose read-out has one bias per channel."""
    network, params, apply = made("colour")
    own = network.preconditioning
    biases = jnp.asarray([1.0, 2.0])
    params = jax.tree.map(
        lambda p: biases if p.shape == biases.shape else jnp.zeros_like(p), params
    )
    found = apply(params, jnp.zeros((1, 40)), sigma := jnp.full((1, 1), 0.5))
    expected = own.out(sigma)[0, 0] * np.repeat(biases, 20)
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


def test_what_is_not_visible_changes_nothing_and_the_mask_does():
    network, params, apply = made("colour", masked=True)
    x, sigma = rows(network, 2), jnp.full((2, 1), 0.5)
    seen = jnp.asarray(np.random.default_rng(2).random((2, 20)) < 0.5, jnp.float32)
    seen = jnp.concatenate([seen, seen], axis=1)  # the channels of a pixel together
    found = apply(params, x, sigma, seen)
    np.testing.assert_array_equal(
        found, apply(params, x + 9.0 * (1.0 - seen), sigma, seen)
    )
    assert np.abs(found - apply(params, x, sigma)).max() > 1e-3
    with pytest.raises(ValueError, match="masked=True"):
        made("grey")[0].apply(params, x, sigma, seen)


def test_it_compiles_once_for_batches_of_one_shape():
    network, params, _ = made("grey")

    def apply(params, x, sigma):
        return network.apply(params, x, sigma)

    chex.clear_trace_counter()
    traced = jax.jit(chex.assert_max_traces(apply, n=1)).trace
    for level in (0.1, 3.0):
        traced(params, rows(network), jnp.full((3, 1), level))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [({"widths": ()}, "widths"), ({"shape": (7,)}, "needs pictures")],
)
def test_what_is_no_unet_of_pictures_is_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        EdmUNet(**({"shape": (5, 7)} | wrong))
