"""Continuous data: files, holes, noise, scales, and what is refused."""

import numpy as np
import pytest

from ambient_jax.data.continuous import Scaling
from ambient_jax.data.continuous_npz import read_continuous
from ambient_jax.data.load import load_dataset
from ambient_jax.data.load_continuous import ContinuousSource
from ambient_jax.data.missingness import MCAR, MNAR
from ambient_jax.data.tokenizer import Levels
from ambient_jax.errors import ArgumentError, UserError

RNG = np.random.default_rng(0)


def saved(tmp_path, **arrays):
    path = tmp_path / "rows.npz"
    np.savez(path, **arrays)
    return str(path)


def with_holes(x, rate=0.4):
    hidden = np.random.default_rng(1).random(x.shape) < rate
    return np.where(hidden, np.nan, x)


def test_rows_without_test_rows_have_no_held_out_ones(tmp_path):
    x = with_holes(RNG.normal(size=(60, 5)))
    data = ContinuousSource(source=saved(tmp_path, x=x)).load()
    assert data.held_out is None
    assert data.train.rows.shape == (60, 5)


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 4, 3)])
def test_rows_with_holes_are_scaled_and_shown_through_patterns(tmp_path, shape):
    x = with_holes(3 + 2 * RNG.normal(size=(60, *shape)))
    x_test = 3 + 2 * RNG.normal(size=(10, *shape))
    data = ContinuousSource(source=saved(tmp_path, x=x, x_test=x_test)).load()
    assert data.train.shape == shape
    assert data.train.rows.shape == (60, np.prod(shape))
    assert np.array_equal(np.isnan(data.train.rows), np.isnan(x.reshape(60, -1)))
    own = np.nanstd(data.train.rows, axis=0 if len(shape) == 1 else None)
    np.testing.assert_allclose(own, 0.5, atol=1e-5)
    back = data.scaling.restored(data.train.rows)
    np.testing.assert_allclose(back, x.reshape(60, -1), rtol=1e-4, atol=1e-5)
    assert data.observed_share == pytest.approx(np.isfinite(x).mean())
    held_out = data.held_out
    assert held_out.complete
    assert held_out.hidden.any()
    shown = held_out.shown
    np.testing.assert_array_equal(
        shown[held_out.test_observed], held_out.test[held_out.test_observed]
    )


def test_the_oracle_is_judged_by_the_test_rows_of_em_and_hides_nothing():
    fields = {"source": "digits", "missingness": MCAR(rate=0.6), "num_train": 100}
    em = ContinuousSource(**fields).load()
    oracle = ContinuousSource(**fields, complete=True).load()
    np.testing.assert_array_equal(em.held_out.shown, oracle.held_out.shown)
    assert oracle.train.missing_share == 0
    assert em.train.missing_share == pytest.approx(0.6, abs=0.02)
    known = em.train.observed
    # The same rows, in other units: each has a scale by what it has seen.
    np.testing.assert_allclose(
        em.scaling.restored(em.train.rows)[known],
        oracle.scaling.restored(oracle.train.rows)[known], atol=1e-5,
    )  # fmt: skip


def test_noise_is_added_to_pictures_and_taken_out_of_their_scale():
    clean = ContinuousSource(source="digits").load()
    noisy = ContinuousSource(source="digits", noise=0.2).load()
    added = noisy.scaling.restored(noisy.train.rows) - clean.scaling.restored(
        clean.train.rows
    )
    assert added.std() == pytest.approx(0.2, rel=0.01)
    assert noisy.scaling.sd == pytest.approx(clean.scaling.sd, rel=0.02)
    np.testing.assert_array_equal(noisy.held_out.test, clean.held_out.test)
    assert not noisy.held_out.hidden.any()


def test_a_mechanism_sees_values_between_0_and_1(tmp_path):
    """MNAR: large values are missing more often, whatever their units."""
    x = (1e4 * RNG.normal(size=(400, 3)) - 5e5).astype(np.float32)
    path = saved(tmp_path, x=x)
    data = ContinuousSource(
        source=path, missingness=MNAR(rate=0.5, strength=20.0)
    ).load()
    test = data.held_out
    assert test.test[test.hidden].mean() > test.test[test.test_observed].mean() + 5e3


def test_a_source_is_a_function_of_its_seed():
    make = lambda seed: ContinuousSource(  # noqa: E731
        source="digits", missingness=MCAR(rate=0.5), num_train=50, seed=seed
    ).load()
    a, b, c = make(0), make(0), make(1)
    np.testing.assert_array_equal(a.train.rows, b.train.rows)
    assert not np.array_equal(a.train.rows, c.train.rows)


def test_a_constant_column_and_a_pooled_scale():
    rows = np.array([[1.0, 5.0], [3.0, 5.0]], np.float32)
    own = Scaling.fit(rows, pooled=False)
    np.testing.assert_allclose(own.scaled(rows), [[-0.5, 0], [0.5, 0]])
    assert Scaling.fit(rows, pooled=True).mean.shape == (1,)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"x": np.zeros((4, 3), int)}, "needs floats"),
        ({"x": np.zeros((4, 3), bool)}, "needs floats"),
        ({"x": np.zeros(4)}, "shape"),
        ({"x": np.zeros((0, 3))}, "shape"),
        ({"x": np.full((4, 3), np.inf)}, "infinite"),
        ({"x": np.full((4, 3), 1e300)}, "float32"),
        ({"x": np.zeros((4, 3)), "x_test": np.zeros((4, 2))}, "must agree"),
        ({"x": np.zeros((4, 3)), "mask": np.zeros((4, 3))}, "unknown array"),
        ({"rows": np.zeros((4, 3))}, "unknown array"),
        ({"x_test": np.zeros((4, 3))}, "no array `x`"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_one_line(tmp_path, arrays, match):
    with pytest.raises(UserError, match=match) as caught:
        read_continuous(saved(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"source": "table.csv"}, "no .npz"),
        ({"source": "nowhere.npz"}, "does not exist"),
        ({"source": "digts"}, "digits"),
        ({"source": "digits", "num_train": 10**6}, "there are"),
        ({"source": "digits", "side": 100}, "side"),
    ],
)
def test_sources_that_cannot_be_used_are_refused(fields, match):
    with pytest.raises(UserError, match=match):
        ContinuousSource(**fields).load()


def test_a_cell_that_no_row_observes_is_refused(tmp_path):
    x = RNG.normal(size=(10, 3))
    x[:, 1] = np.nan
    with pytest.raises(UserError, match="1 cells are observed in no row"):
        ContinuousSource(source=saved(tmp_path, x=x)).load()


def test_noise_that_is_larger_than_all_spread_is_refused(tmp_path):
    path = saved(tmp_path, x=RNG.normal(size=(50, 3)))
    with pytest.raises(ArgumentError, match="must be smaller"):
        ContinuousSource(source=path, noise=3.0).load()


def test_noise_below_0_is_refused():
    with pytest.raises(ArgumentError, match="noise must not be below 0"):
        ContinuousSource(source="digits", noise=-0.1)


def test_both_families_are_judged_by_the_same_pictures_behind_the_same_holes():
    """Digits have 17 grey levels, so that as tokens they lose nothing."""
    shared = {"seed": 3, "num_train": 300, "num_test": 50}
    tokens = load_dataset(
        "digits", missingness=MCAR(rate=0.6), tokenizer=Levels(num_values=17), **shared
    )
    grey = ContinuousSource(
        source="digits", missingness=MCAR(rate=0.6), **shared
    ).load()  # fmt: skip
    own, other = tokens.held_out, grey.held_out
    np.testing.assert_array_equal(own.test / 16, other.test)
    np.testing.assert_array_equal(own.test_observed, other.test_observed)
    np.testing.assert_array_equal(own.labels.test, other.labels.test)
    held = len(tokens.valid)
    np.testing.assert_array_equal(
        own.labels.reference / 16, other.labels.reference[held:]
    )
    np.testing.assert_array_equal(tokens.train.observed, grey.train.observed[held:])
