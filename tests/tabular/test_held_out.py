"""Which rows the networks of an ensemble leave out, and that they do."""

import dataclasses

import jax
import numpy as np
import pytest

from ambient_jax import AmbientImputer
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.fitting.fit import fit_network
from ambient_jax.tabular.fitting.held_out import choose_excluded_rows
from tests.tabular.test_imputer import QUICK, mixed

PAIR = dataclasses.replace(QUICK, members=2, em_start=1.0)
ONCE = dataclasses.replace(PAIR, rounds=1)


@pytest.mark.parametrize(
    ("rows", "members", "fraction", "together"),
    [(200, 1, 0.1, 1), (200, 3, 0.1, 1), (200, 4, 0.5, 1), (1600, 5, 0.1, 2),
     (4200, 3, 0.1, 2), (4200, 2, 0.1, 1), (4200, 1, 0.1, 1)],
)  # fmt: skip
def test_each_network_leaves_out_its_share_and_some_do_together(
    rows, members, fraction, together
):
    tokens = np.zeros((rows, 3), np.uint8)
    tokens[:50] = 5  # all missing
    excluded_rows = choose_excluded_rows(tokens, 5, fraction, members, seed=0)
    assert excluded_rows.shape == (rows, members)
    assert not excluded_rows[:50].any()
    by = excluded_rows.sum(axis=1)
    assert set(by[by > 0]) == {together}
    share = round(rows * min(fraction, 1 / members))
    most = rows - 50 if members == 1 else min(rows - 50, 300)
    assert (by > 0).sum() == min(most, share * members // together)
    assert (excluded_rows.sum(axis=0) <= share).all()
    assert np.ptp(excluded_rows.sum(axis=0)) <= together


def test_a_table_of_a_few_rows_leaves_none_out():
    tokens = np.zeros((20, 3), np.uint8)
    assert not choose_excluded_rows(tokens, 5, 0.1, 3, seed=0).any()


def test_no_network_learns_from_the_rows_that_it_leaves_out():
    """Before EM, where the networks draw for each other, and with one round to choose
    from, which those rows decide. So few rows start from factors."""
    frame = mixed()
    codec = TableCodec.fit(frame)
    encoded = codec.encode(frame)
    excluded_rows = choose_excluded_rows(
        encoded.tokens, codec.num_values, 0.2, 2, seed=0
    )
    rows = excluded_rows[:, 0]
    # Other values of the column for the same rows: the same cells are known.
    changed = encoded.tokens.copy()
    sizes = np.array([column.coder.size for column in codec.columns])
    known = rows[:, None] & (changed < codec.num_values)
    changed = np.where(known, (changed + 1) % sizes, changed).astype(changed.dtype)
    others = dataclasses.replace(encoded, tokens=changed)

    def params(encoded):
        fit = fit_network(codec, encoded, excluded_rows, ONCE, seed=0)
        return jax.tree.leaves(fit.params)

    assert len(frame) < ONCE.factor_rows
    pairs = list(zip(params(encoded), params(others), strict=True))
    assert all(np.array_equal(a[0], b[0]) for a, b in pairs)
    assert any((a[1] != b[1]).any() for a, b in pairs)


def test_a_row_that_was_left_out_watches_and_calibrates():
    fitted = AmbientImputer(recipe=PAIR, random_state=0, validation_fraction=0.3)
    fitted.fit(mixed(80)[["x", "small"]])
    assert len(fitted.history_) == PAIR.rounds
    assert len(fitted.calibration_.pooled) > 0
