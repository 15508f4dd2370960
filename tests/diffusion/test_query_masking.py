"""Rows that are masked like queries: by patterns of other rows, or a small part."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.data.missingness import Blocks
from ambient_jax.diffusion.masked.objective import MaskedObjective
from ambient_jax.diffusion.masked.query_masking import (
    LIGHT_RATES,
    MaskedRows,
    QueryMasking,
)
from ambient_jax.experiment import build
from ambient_jax.family import Batch
from configs import baseline
from tests.toys import Table

MASK = 9


def hidden(queries, x, unknown, seed=0):
    n = len(x)
    t = ((jnp.arange(n) + 0.5) / n)[:, None]
    noisy = MaskedRows(jnp.full_like(x, MASK), t, 1.0 / t)
    u = jax.random.uniform(jax.random.key(seed), x.shape)
    return queries(u, x, unknown, noisy, MASK)


def rows(n=4000, length=10, missing=0.3):
    rng = np.random.default_rng(0)
    unknown = rng.random((n, length)) < missing
    x = np.where(unknown, MASK, rng.integers(0, MASK, (n, length)))
    return jnp.asarray(x, jnp.int32), jnp.asarray(unknown)


def test_copied_rows_hide_what_the_row_before_lacks():
    x, unknown = rows()
    z, t, weight = hidden(QueryMasking(copied_share=1.0, light_share=0.0), x, unknown)
    before = np.roll(np.asarray(unknown), 1, axis=0)
    works = (before & ~np.asarray(unknown)).any(axis=1)
    expected = np.where(before, MASK, x)[works]
    np.testing.assert_array_equal(np.asarray(z)[works], expected)
    # Each row counts about once, whatever its pattern hides.
    counted = (np.asarray(z) == MASK) & ~np.asarray(unknown)
    share = counted.sum(1) / np.maximum((~np.asarray(unknown)).sum(1), 1)
    np.testing.assert_allclose(np.asarray(t)[:, 0], share, rtol=1e-5)
    per_row = np.asarray(weight)[:, 0] * share
    np.testing.assert_allclose(per_row[share >= 0.2], 1.0, rtol=1e-5)
    assert per_row.max() < 1.0 + 1e-5


def test_a_table_without_holes_is_hidden_lightly():
    x, unknown = rows(missing=0.0)
    z, _, _ = hidden(QueryMasking(copied_share=1.0, light_share=0.0), x, unknown)
    assert abs((np.asarray(z) == MASK).mean() - sum(LIGHT_RATES) / 2) < 0.01


def test_the_rest_keep_the_noise_level_and_its_weight():
    x, unknown = rows()
    queries = QueryMasking(copied_share=0.5, light_share=0.3)
    copied, light = (np.asarray(kind)[:, 0] for kind in queries.kinds(len(x)))
    assert not (copied & light).any()
    assert abs(copied.mean() - 0.5) < 0.01
    assert abs(light.mean() - 0.3) < 0.01
    z, t, weight = hidden(queries, x, unknown)
    rest = ~copied & ~light
    assert (np.asarray(z)[rest] == MASK).all()
    np.testing.assert_allclose(np.asarray(weight * t)[rest], 1.0, rtol=1e-5)
    # The kinds fall on both halves of a batch, natural rows and completed ones.
    half = len(x) // 2
    assert abs(copied[:half].mean() - copied[half:].mean()) < 0.01


def test_what_is_unknown_stays_unknown():
    x, unknown = rows()
    z, _, _ = hidden(QueryMasking(copied_share=0.5, light_share=0.5), x, unknown)
    assert (np.asarray(z)[np.asarray(unknown)] == MASK).all()
    seen = np.asarray(z) != MASK
    np.testing.assert_array_equal(np.asarray(z)[seen], np.asarray(x)[seen])


@pytest.mark.parametrize("shares", [(0.7, 0.4), (-0.1, 0.2)])
def test_shares_that_mean_nothing_are_refused(shares):
    with pytest.raises(ValueError, match="shares of the rows"):
        QueryMasking(copied_share=shares[0], light_share=shares[1])


class Spy(Table):
    """Keeps the rows that the network is shown."""

    def apply(self, params, z):
        type(self).seen = np.asarray(z)
        return super().apply(params, z)


def shown(masking, tokens):
    """What the network sees of rows whose missing cells were never filled in."""
    network = Spy(tokens.shape[1])
    batch = Batch(jnp.asarray(tokens), jnp.asarray(tokens))
    MaskedObjective(query_masking=masking)(
        network, network.init(jax.random.key(0)), batch, jnp.asarray(0),
        jax.random.key(1),
    )  # fmt: skip
    return network.seen


@pytest.mark.parametrize("copied_share", [0.0, 1.0])
def test_a_config_has_pictures_masked_in_the_shapes_of_their_holes(copied_share):
    """Rows lose the blocks of the row before; at random whole blocks are not lost."""
    config = baseline.get_config("digits")
    config.objective.copied_share = copied_share
    masking = build.settings(config).family.query_masking
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (200, 8, 1))
    observed = Blocks(rate=0.4, size=4)(x, 2, rng).reshape(200, 8)
    tokens = np.where(observed, x[:, :, 0], 2).astype(np.uint8)
    visible = shown(masking, tokens) != 2
    both = observed & np.roll(observed, 1, axis=0)
    copied = (observed & ~both).any(axis=1)
    assert 100 < copied.sum() < 200
    alike = (visible == both)[copied].all(axis=1)
    assert alike.all() if copied_share else alike.mean() < 0.3
