"""The fair ceiling: complete rows with as many cells as the incomplete ones show."""

import numpy as np
import pytest

from ambient_jax.data.missingness import Blocks, Lines
from ambient_jax.data.split import as_many_cells
from ambient_jax.errors import ArgumentError, UserError
from ambient_jax.experiment import build
from configs import baseline, em_only, few_complete, oracle
from tests.data.test_load import load, write_idx
from tests.data.test_npz import X, save


def keys_of(rows):
    return [row.tobytes() for row in rows]


def three(source, **fields):
    """The same data as the baseline, the oracle and the ceiling see them."""
    return [load(source, complete=c, **fields) for c in ("none", "all", "few")]


def source_of(kind, folder):
    """A source, and the arguments that it needs."""
    if kind == "npz":
        rng = np.random.default_rng(0)
        return save(folder / "a.npz", x=rng.integers(0, 9, (200, 5))), {}
    if kind == "mnist":
        write_idx(folder, n_train=90)
        return "mnist", {"dir": str(folder), "side": 14, "num_train": 80}
    return "digits", {}


@pytest.mark.parametrize("rate", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("kind", ["digits", "mnist", "npz"])
def test_as_many_cells_in_some_of_the_rows_of_the_oracle(kind, rate, tmp_path):
    source, fields = source_of(kind, tmp_path)
    holes, all_rows, few = three(source, rate=rate, **fields)
    for name in ("train", "valid"):
        here, there, whole = (getattr(d, name) for d in (few, holes, all_rows))
        assert here.observed.all()
        length = here.tokens.shape[1]
        if there.observed.sum() >= length:  # otherwise it is one row
            assert abs(int(here.observed.sum()) - int(there.observed.sum())) < length
        # Rows of the oracle, in its order and each once.
        assert len(here) < len(whole)
        places = iter(keys_of(whole.tokens))
        assert all(row in places for row in keys_of(here.tokens))


@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_judged_by_the_same_rows_through_the_same_holes(seed):
    holes, _, few = three("digits", seed=seed)
    a, b = holes.held_out, few.held_out
    assert np.array_equal(a.test, b.test)
    assert np.array_equal(a.test_observed, b.test_observed)
    # The classifier behind the Frechet distance is the same one.
    assert np.array_equal(a.labels.reference, b.labels.reference)
    assert np.array_equal(a.labels.reference_labels, b.labels.reference_labels)
    # What reports show beside a training row is that row.
    assert np.array_equal(b.train_truth, few.train.tokens)


def test_its_size_follows_from_what_came_out_and_not_from_the_rate():
    """Lines of 8 pixels: the share that is observed is not quite the stated one."""
    for mechanism in (Lines(rate=0.6), Blocks(rate=0.6, size=4)):
        config = few_complete.get_config("digits")
        config.data.missingness.name = type(mechanism).__name__.lower()
        few = build.dataset(config)
        config.data.complete = "none"
        holes = build.dataset(config)
        assert len(few.train) == round(holes.train.observed.sum() / 64)


def test_the_rows_are_a_draw_and_not_the_first_ones():
    observed = np.random.default_rng(0).random((1000, 6)) < 0.5
    chosen = as_many_cells(observed, np.arange(1000), np.random.default_rng(1))
    assert len(np.unique(chosen)) == round(observed.sum() / 6)
    assert abs(chosen.mean() - 500) < 40
    again = as_many_cells(observed, np.arange(1000), np.random.default_rng(2))
    assert not np.array_equal(chosen, again)


def test_one_row_is_left_where_less_is_observed_and_none_where_nothing_is():
    observed = np.zeros((9, 4), bool)
    rng = np.random.default_rng(0)
    assert len(as_many_cells(observed, np.arange(9), rng)) == 0
    observed[3, 2] = True
    assert len(as_many_cells(observed, np.arange(9), rng)) == 1
    # Candidates alone count, and only they are drawn.
    assert len(as_many_cells(observed, np.arange(4, 9), rng)) == 0


@pytest.mark.parametrize("complete", ["all", "few"])
def test_a_file_with_holes_is_refused(complete, tmp_path):
    path = save(tmp_path / "a.npz", x=np.where(X > 1, -1, X), num_values=3)
    with pytest.raises(ArgumentError, match="has missing cells") as caught:
        load(path, complete=complete)
    assert "\n" not in str(caught.value)
    config = few_complete.get_config(str(path))
    with pytest.raises(UserError, match=r"^config\.data\.complete=few: .* has missing"):
        build.dataset(config)


def test_a_word_that_is_none_of_the_three_is_refused():
    config = few_complete.get_config("digits")
    config.data.complete = "fwe"
    message = "config.data.complete='fwe' is unknown; did you mean 'few'"
    with pytest.raises(UserError, match=message):
        build.dataset(config)


def test_the_config_differs_from_the_others_in_the_rows_alone():
    few = few_complete.get_config("digits").to_dict()
    for other in (oracle, baseline):
        fields = other.get_config("digits").to_dict()
        fields["name"] = "few_complete"
        fields["data"]["complete"] = "few"
        assert fields == few
    same = em_only.get_config("digits").to_dict()
    assert same["optimizer"] == few["optimizer"]
    assert few["eval"]["checkpoint"] == "best"
