"""The columns' network: what is masked cannot matter; conformal levels cover."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.networks.column_network import ColumnNetwork
from ambient_jax.tabular.calibration import Calibration, conformity_scores
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.prediction import Prediction
from ambient_jax.tabular.fitting.network import tables_of
from tests.tabular.test_codec import mixed


def made(mixer):
    frame = mixed(60)[0]
    codec = TableCodec.fit(frame, max_bins=8)
    network = ColumnNetwork(
        tables=tables_of(codec), mixer=mixer, width=16, depth=1, embed=4
    )
    params = network.init(jax.random.key(0))
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(0)
    params = tree.unflatten(
        [leaf + rng.normal(0, 0.1, leaf.shape).astype(np.float32) for leaf in leaves]
    )
    return codec, network, params, codec.encode(frame)


@pytest.mark.parametrize("mixer", ["dense", "attention"])
def test_leak_and_vocabulary(mixer):
    codec, network, params, e = made(mixer)
    apply = jax.jit(network.apply)
    z = jnp.asarray(e.tokens, jnp.int32)
    logits = apply(params, z, jnp.asarray(e.context))
    # Context of masked cells, and of categories, changes no bit.
    told = e.context.reshape(*e.tokens.shape, 3)
    hidden = e.tokens == codec.num_values
    numeric = np.array([column.numeric for column in codec.columns])
    other = np.where((hidden | ~numeric)[..., None], np.float32(9.0), told)
    changed = apply(params, z, jnp.asarray(other.reshape(e.context.shape)))
    np.testing.assert_array_equal(logits, changed)
    # The exact value of a visible number does matter ...
    moved = np.where(hidden[..., None], told, told + np.float32([0.1, 0.1, 0.0]))
    assert (
        apply(params, z, jnp.asarray(moved.reshape(e.context.shape))) != logits
    ).any()
    # ... and one that is not known is told by its bin, whatever the context says.
    blank = np.zeros_like(e.context)
    junk = blank.reshape(*told.shape) + np.float32([5.0, 5.0, 0.0])
    np.testing.assert_array_equal(
        apply(params, z, jnp.asarray(blank)),
        apply(params, z, jnp.asarray(junk.reshape(blank.shape))),
    )
    # A value that a column does not have has probability zero.
    p = np.asarray(jax.nn.softmax(logits))
    for i, column in enumerate(codec.columns):
        assert (p[:, i, column.coder.size :] == 0).all()
    assert np.isfinite(np.asarray(logits)).all()


def test_conformal_levels_cover_on_new_cells():
    """A model whose spread is wrong by half: nominal 90 % becomes 90 % in truth."""
    rng = np.random.default_rng(0)
    column = NumberColumn.fit(rng.normal(size=4000), 32)
    p = np.tile(column.share, (2000, 1))
    cells = rng.normal(0, 1.5, size=(2, 2000))  # wider than the model thinks
    scores = conformity_scores(Prediction(coder=column, p=p), cells[0])
    calibration = Calibration.fit([scores])
    low, high = (
        column.quantile(p, np.full(2000, calibration.quantile_level(0, q)))
        for q in (0.1, 0.9)
    )
    raw = [column.quantile(p, np.full(2000, q)) for q in (0.1, 0.9)]
    covered = ((low <= cells[1]) & (cells[1] <= high)).mean()
    assert ((raw[0] <= cells[1]) & (cells[1] <= raw[1])).mean() < 0.65
    assert covered == pytest.approx(0.8, abs=0.03)


def test_levels_stay_nominal_without_held_out_cells():
    calibration = Calibration.fit([])
    assert calibration.quantile_level(0, 0.05) == pytest.approx(0.05)
