"""Shape, type and value of the building blocks, with and without jit."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from ambient_jax.networks import column_network
from ambient_jax.networks.blocks import Attention, ConvBlock, Embed, Mlp
from ambient_jax.networks.classifier import Classifier
from ambient_jax.networks.unet import visible_mean
from tests.networks.toy_columns import toy_factors, toy_tables

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
BLOCKS = {
    "attention": (Attention(num_heads=2, dtype=jnp.bfloat16), (2, 5, 8)),
    "mlp": (Mlp(expand=2, dtype=jnp.bfloat16), (2, 5, 8)),
    "convolution": (ConvBlock(width=8, dtype=jnp.bfloat16), (2, 5, 7, 8)),
}


class BlockTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    @parameterized.named_parameters(*BLOCKS.items())
    def test_a_block_starts_as_the_identity(self, block_and_shape):
        block, shape = block_and_shape
        h = jnp.asarray(RNG.normal(size=shape)).astype(jnp.bfloat16)
        params = block.init(jax.random.key(0), h)
        chex.assert_type(jax.tree.leaves(params), jnp.float32)
        found = self.variant(block.apply)(params, h)
        chex.assert_type(found, jnp.bfloat16)
        chex.assert_trees_all_equal(found, h)

    def test_a_convolution_may_change_the_width(self):
        h = jnp.zeros((2, 5, 7, 3))
        found, _ = jax.eval_shape(ConvBlock(width=8).init_with_output, KEY, h)
        chex.assert_shape(found, (2, 5, 7, 8))

    @chex.variants(with_jit=True, without_jit=True)
    def test_an_embedding_is_the_row_of_the_table_or_zeros_beyond_it(self):
        embed, z = Embed(num_tokens=3, width=4), jnp.asarray([[0, 2], [1, 3]])
        params = embed.init(jax.random.key(0), z)
        table = params["params"]["embedding"]
        chex.assert_shape(table, (3, 4))
        expected = jnp.concatenate([table, jnp.zeros((1, 4))])[z]
        chex.assert_trees_all_equal(self.variant(embed.apply)(params, z), expected)
        gradient = jax.grad(lambda p: embed.apply(p, z)[:, 1].sum())(params)
        found = gradient["params"]["embedding"][:, 0]
        chex.assert_trees_all_equal(found, jnp.array([0.0, 0.0, 1.0]))

    @chex.variants(with_jit=True, without_jit=True)
    def test_the_mean_is_over_the_visible_pixels_of_the_window(self):
        e = RNG.normal(size=(2, 4, 5, 3)).astype(np.float32)
        visible = (RNG.random((2, 4, 5, 1)) < 0.4).astype(np.float32)
        e[visible[..., 0] == 0] = 9.0  # must not matter
        mean, share = np.zeros((2, 4, 5, 3)), np.zeros((2, 4, 5, 1))
        for b, i, j in np.ndindex(2, 4, 5):
            window = (b, slice(max(i - 1, 0), i + 2), slice(max(j - 1, 0), j + 2))
            inside = visible[window][..., 0] > 0
            share[b, i, j] = inside.sum() / 9
            mean[b, i, j] = e[window][inside].mean(axis=0) if inside.any() else 0

        def three(e, visible):
            return visible_mean(e, visible, 3)

        found = self.variant(three)(jnp.asarray(e), jnp.asarray(visible))
        chex.assert_type(found, jnp.float32)
        chex.assert_trees_all_close(
            found, (np.float32(mean), np.float32(share)), atol=1e-5
        )

    @chex.variants(with_jit=True, without_jit=True)
    def test_a_classifier_gives_logits_and_features(self):
        classifier = Classifier(
            shape=(5, 7), num_values=3, num_classes=4, num_features=6
        )
        params = classifier.init(jax.random.key(0))
        chex.assert_type(jax.tree.leaves(params), jnp.float32)
        x = jnp.asarray(RNG.integers(0, 3, (2, 35)))
        outputs = self.variant(classifier.apply)(params, x)
        chex.assert_shape(outputs, [(2, 4), (2, 6)])
        chex.assert_type(outputs, jnp.float32)
        chex.assert_tree_all_finite(outputs)
        assert outputs[1].min() >= 0

    def test_a_classifier_reads_rows_that_are_no_pictures(self):
        classifier = Classifier(shape=(35,), num_values=3, num_classes=4)
        params = jax.eval_shape(classifier.init, KEY)
        outputs = jax.eval_shape(classifier.apply, params, jnp.zeros((2, 35), int))
        chex.assert_shape(outputs, [(2, 4), (2, 64)])


class ColumnTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.tables = toy_tables()
        self.factors = toy_factors(self.tables)

    def test_the_constants_have_an_order_for_numbers_only(self):
        np.testing.assert_array_equal(self.tables.numeric, [True, True, False])
        basis = self.tables.basis
        chex.assert_shape(basis, (3, column_network.NUM_COSINES, 5))
        chex.assert_type(basis, np.float32)
        assert np.abs(basis).max() <= 1
        assert np.abs(basis[:2]).min(axis=2).max() > 0
        np.testing.assert_array_equal(basis[2], 0)

    @chex.variants(with_jit=True, without_jit=True)
    def test_factors_give_a_distribution_over_the_values_of_each_column(self):
        z = jnp.asarray([[5, 5, 5], [0, 5, 1], [4, 2, 3]])
        one_hot, score = jax.nn.one_hot(z, 5), jnp.asarray(RNG.normal(size=(3, 3)))
        score = score.astype(jnp.float32)
        found = self.variant(self.factors.log_probability)(one_hot, score)
        chex.assert_shape(found, (3, 3, 5))
        chex.assert_type(found, jnp.float32)
        p = np.exp(found)
        chex.assert_tree_all_finite(p)
        np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-5)
        np.testing.assert_array_equal(p[:, 2, 4], 0)
        # A masked cell's score does not matter; a visible one's does.
        ask = self.variant(self.factors.log_probability)
        junk = jnp.where(z == 5, 9.0, score)
        chex.assert_trees_all_equal(ask(one_hot, junk), found)
        assert (ask(one_hot, score + 1)[1] != found[1]).any()
