"""The transformer of text: what it knows of positions, and its size for large V."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.networks import text_transformer
from ambient_jax.networks.text_transformer import (
    FAST_PAIRS,
    SHARPNESS,
    TextTransformer,
    looking_near,
    rotate,
)

L, V = 12, 5


def made(**fields):
    """A network with random parameters everywhere (blocks start at zero)."""
    fields = {"width": 16, "depth": 2, "num_heads": 2, **fields}
    network = TextTransformer(length=L, num_values=V, **fields)
    leaves, tree = jax.tree.flatten(network.init(jax.random.key(0)))
    rng = np.random.default_rng(1)
    noisy = [x + 0.3 * rng.normal(size=x.shape).astype(np.float32) for x in leaves]
    return network, jax.tree.unflatten(tree, noisy)


def rows(count=3):
    return jnp.asarray(np.random.default_rng(2).integers(0, V + 1, (count, L)))


def test_where_a_row_begins_makes_no_difference():
    network, params = made()
    apply = jax.jit(network.module.apply, static_argnames="first")
    base = apply({"params": params}, rows(), first=0)
    for first in (1, 7, 100):
        moved = apply({"params": params}, rows(), first=first)
        np.testing.assert_allclose(moved, base, atol=2e-4)


def test_products_of_rotated_vectors_depend_on_the_distance_alone():
    rng = np.random.default_rng(0)
    query, key = rng.normal(size=(2, 1, 1, 1, 8)).astype(np.float32)

    def product(m, n):
        a, b = (
            rotate(jnp.asarray(x), np.array([place]))
            for x, place in ((query, m), (key, n))
        )
        return float((a * b).sum())

    assert product(3, 1) == pytest.approx(product(9, 7), abs=1e-5)
    assert product(3, 1) != pytest.approx(product(1, 3), abs=1e-3)
    assert product(3, 1) != pytest.approx(product(4, 1), abs=1e-3)


@pytest.mark.parametrize("size", [4, 8, 32])
def test_heads_look_first_at_the_distance_that_they_are_given(size):
    distances, places = np.array([-2, -1, 1, 2]), np.arange(L)

    def turned(biases):
        rows = np.broadcast_to(biases, (1, L, len(distances), size))
        return np.asarray(rotate(jnp.asarray(rows), places))[0]

    query = turned(looking_near(distances, size))
    key = turned(looking_near(0 * distances, size))
    scores = np.einsum("lnd,mnd->nlm", query, key) / size**0.5
    for head, distance in enumerate(distances):
        seen = places[(places + distance >= 0) & (places + distance < L)]
        best = scores[head][seen].argmax(axis=1)
        np.testing.assert_array_equal(best, seen + distance)
        pairs = min(FAST_PAIRS, size // 2)
        top = scores[head][seen, best]
        np.testing.assert_allclose(top, SHARPNESS * pairs, rtol=1e-4)


def test_the_order_of_the_characters_matters():
    network, params = made()
    z = jnp.asarray([[V, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0]])
    swapped = z.at[0, 1].set(1).at[0, 2].set(0)
    apply = jax.jit(network.apply)
    here, there = apply(params, z), apply(params, swapped)
    assert np.abs(here[0, 0] - there[0, 0]).max() > 1e-3


def test_both_sides_are_seen():
    network, params = made()
    z = rows(1)
    apply = jax.jit(network.apply)
    base = apply(params, z)
    for place in (0, L - 1):
        changed = apply(params, z.at[0, place].set((z[0, place] + 1) % V))
        assert (np.abs(changed - base).max(axis=-1) > 0).all()


def test_a_large_vocabulary_costs_two_vectors_a_value_and_no_one_hot():
    values, width, length = 30_000, 16, 8
    network = TextTransformer(
        length=length, num_values=values, width=width, depth=1, num_heads=2
    )
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    leaves = jax.tree.leaves(shapes)
    assert max(leaf.ndim for leaf in leaves) <= 3
    size = sum(leaf.size for leaf in leaves)
    assert 2 * values * width <= size <= 2 * values * width + 1.2 * values
    assert all(leaf.shape[:1] != (length,) for leaf in leaves)
    z = jax.ShapeDtypeStruct((3, length), jnp.int32)
    program = jax.jit(network.apply).lower(shapes, z).as_text()
    logits = f"tensor<{3}x{length}x{values}xf32>"
    assert logits in program
    assert f"x{values + 1}xf32>" not in program.replace(f"tensor<{values + 1}x", "")


def test_logits_of_a_large_vocabulary_are_those_of_a_one_hot_product(monkeypatch):
    network, params = made()
    base = jax.jit(network.apply)(params, rows())
    monkeypatch.setattr(text_transformer, "ONE_HOT_LIMIT", 0)
    looked_up = jax.jit(lambda p, z: network.apply(p, z))(params, rows())
    np.testing.assert_allclose(looked_up, base, atol=1e-4)


def test_heads_that_do_not_fit_are_refused():
    for heads in (0, 3, 16):
        with pytest.raises(ValueError, match="width must be a multiple of 2 num_heads"):
            TextTransformer(length=L, num_values=V, width=16, num_heads=heads)
