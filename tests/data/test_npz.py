"""Users' own rows: holes, test rows, labels, and files that are broken."""

import numpy as np
import pytest

from ambient_jax.data.npz import read_npz, whole_numbers
from ambient_jax.errors import UserError
from tests.data.test_load import load

X = np.random.default_rng(0).integers(0, 3, (40, 5))


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_npz_with_holes_has_no_hidden_truth(tmp_path):
    x = np.where(np.random.default_rng(1).random(X.shape) < 0.5, -1, X)
    data = load(save(tmp_path / "a.npz", x=x))
    assert data.held_out is None
    assert data.train.num_values == 3
    assert len(data.train) + len(data.valid) == 40
    seen = np.concatenate([data.valid.tokens, data.train.tokens])
    found = np.where(seen == 3, -1, seen.astype(int))
    assert not np.array_equal(found, x)  # a user's rows may be sorted
    assert sorted(map(tuple, found)) == sorted(map(tuple, x))


def test_npz_observed_array_is_the_same_as_minus_one(tmp_path):
    observed = np.random.default_rng(1).random(X.shape) < 0.5
    a = load(save(tmp_path / "a.npz", x=np.where(observed, X, -1), num_values=3))
    b = load(save(tmp_path / "b.npz", x=X, observed=observed, num_values=3))
    assert np.array_equal(a.train.tokens, b.train.tokens)


def test_npz_test_rows_are_shown_through_the_patterns_of_the_training_rows(tmp_path):
    x = X.copy()
    x[:, 2:] = -1
    data = load(save(tmp_path / "a.npz", x=x, x_test=X))
    assert data.held_out.complete
    assert data.held_out.test_observed[:, :2].all()
    assert not data.held_out.test_observed[:, 2:].any()


def test_npz_test_rows_with_holes_are_not_complete(tmp_path):
    x = np.where(np.random.default_rng(1).random(X.shape) < 0.5, -1, X)
    data = load(save(tmp_path / "a.npz", x=x, x_test=x))
    assert not data.held_out.complete
    assert not (data.held_out.test_observed & (data.held_out.test == 3)).any()


def test_complete_npz_is_hidden_by_the_mechanism(tmp_path):
    data = load(save(tmp_path / "a.npz", x=np.repeat(X, 20, axis=0)))
    assert abs(data.observed_share - 0.4) < 0.03
    assert len(data.held_out.test) == 160


@pytest.mark.parametrize("names", [[0, 1, 2, 3], [1990, 5, 2000, 10**11]])
def test_labels_of_any_value_are_classes_from_0_on(tmp_path, names):
    names, number = np.sort(names), np.arange(40) % 4
    data = load(save(tmp_path / "a.npz", x=X, y=names[number], x_test=X[:3],
                     y_test=names[[2, 0, 3]]))  # fmt: skip
    labels = data.held_out.labels
    assert labels.num_classes == 4
    assert labels.test.tolist() == [2, 0, 3]
    where = {tuple(row): label for row, label in zip(X, number, strict=True)}
    for row, label in zip(labels.reference, labels.reference_labels, strict=True):
        assert where[tuple(row)] == label


def broken_files(folder):
    torn = save(folder / "torn.npz", x=X)
    torn.write_bytes(torn.read_bytes()[:200])
    (folder / "text.npz").write_text("x,y\n1,2\n")
    np.save(folder / "plain.npy", X)
    (folder / "plain.npy").rename(folder / "plain.npz")
    holes = np.where(X > 1, -1, X)
    return {
        folder / "absent.npz": "does not exist",
        torn: "cannot be read|damaged",
        folder / "text.npz": "cannot be read",
        folder / "plain.npz": "cannot be read|not an .npz",
        save(folder / "no_x.npz", y=X): "no array `x` .it holds y",
        save(folder / "mask.npz", x=X, mask=X > 1): (
            "unknown array `mask`; save a boolean `observed`, False where"
        ),
        save(folder / "name.npz", x=X, observd=X > 1): (
            "unknown array `observd`; did you mean 'observed'. One of: num_values, obs"
        ),
        save(folder / "lone.npz", x=X, observed_test=X > 1): "no test rows `x_test`",
        save(folder / "lone_y.npz", x=X, y_test=X[:, 0]): "`y_test` but no test rows",
        save(folder / "float.npz", x=X + 0.5): "whole numbers",
        save(folder / "nan.npz", x=np.where(X > 1, np.nan, X)): "NaN",
        save(folder / "low.npz", x=X - 5): "holds -5",
        save(folder / "high.npz", x=X, num_values=2): "outside 0..1",
        save(folder / "inf.npz", x=np.where(X > 1, np.inf, X)): "holds inf",
        save(folder / "far.npz", x=X * -1e19): "holds -2e.19",
        save(folder / "u64.npz", x=X.astype(np.uint64) + np.uint64(2**63)): "922337",
        save(folder / "v.npz", x=X, num_values=0): "`num_values` is 0; it must be at l",
        save(folder / "wide.npz", x=X * 5000): "bin",
        save(folder / "none.npz", x=np.full_like(X, -1)): "nothing is observed",
        save(folder / "contra.npz", x=holes, observed=np.ones(X.shape, bool)): (
            "contradict"
        ),
        save(folder / "shape.npz", x=X, observed=np.ones(3, bool)): "must be boolean",
        save(folder / "empty.npz", x=X[:0]): "no rows",
        save(folder / "one.npz", x=holes[:1]): "too few",
        save(folder / "flat.npz", x=X[0]): "must be .N, H, W.",
        save(folder / "words.npz", x=X.astype(str)): "whole numbers",
        save(folder / "labels.npz", x=X, y=np.arange(3)): "one integer per row",
        save(folder / "minus.npz", x=X, y=-np.arange(40)): "`y` holds -39",
        save(folder / "many.npz", x=np.repeat(X, 50, 0), y=np.arange(2000)): "2000 d",
        save(folder / "test.npz", x=X, x_test=X[:, :2]): "must agree",
    }


def test_broken_files_say_what_is_wrong_in_one_line(tmp_path):
    for path, message in broken_files(tmp_path).items():
        with pytest.raises(UserError, match=message) as caught:
            load(path)
        assert "\n" not in str(caught.value), path


def test_rows_to_complete_may_be_unobserved_in_every_cell(tmp_path):
    path = save(tmp_path / "a.npz", x=np.full((3, 5), -1))
    assert (read_npz(path).x == -1).all()
    with pytest.raises(UserError, match="nothing is observed in the rows to train on"):
        load(path)


def test_rows_that_differ_in_length_are_no_array():
    with pytest.raises(UserError, match="mine is no array: its rows differ in length"):
        whole_numbers("mine", [[1, 0], [1]])
