"""Sources: what training is handed, splits, seeds, users' files, broken files."""

import functools
import gzip
import http.server
import struct
import threading

import numpy as np
import pytest

from ambient_jax.data.load import load_dataset
from ambient_jax.data.missingness import MCAR
from ambient_jax.data.npz import whole_numbers
from ambient_jax.data.pictures import area_average
from ambient_jax.data.tokenizer import Levels, Stochastic, Threshold
from ambient_jax.errors import UserError


def load(source, rate=0.6, tokenizer=None, **fields):
    return load_dataset(
        str(source),
        missingness=MCAR(rate=rate),
        tokenizer=tokenizer or Threshold(),
        **fields,
    )


def test_digits_split_and_hide():
    data = load("digits")
    assert (len(data.train), len(data.valid), len(data.held_out.test)) == (
        1258,
        139,
        400,
    )
    assert data.held_out.complete
    assert abs(data.observed_share - 0.4) < 0.01
    assert abs(data.held_out.test_observed.mean() - 0.4) < 0.01
    truth, tokens = data.held_out.train_truth, data.train.tokens
    assert np.array_equal(tokens[data.train.observed], truth[data.train.observed])
    assert not (data.held_out.test == data.train.mask).any()


def test_the_data_seed_decides_and_the_oracle_sees_the_same_rows():
    a, b, c = load("digits"), load("digits"), load("digits", seed=1)
    assert np.array_equal(a.train.tokens, b.train.tokens)
    assert not np.array_equal(a.train.tokens, c.train.tokens)
    oracle = load("digits", complete=True)
    assert oracle.observed_share == 1
    assert np.array_equal(oracle.train.tokens, a.held_out.train_truth)
    assert np.array_equal(oracle.held_out.test_observed, a.held_out.test_observed)


def test_tokenizers():
    grey = np.linspace(0, 1, 5)
    rng = np.random.default_rng(0)
    assert Threshold()(grey, rng).tolist() == [0, 0, 1, 1, 1]
    assert Levels(num_values=3)(grey, rng).tolist() == [0, 0, 1, 2, 2]
    drawn = Stochastic()(np.full(10_000, 0.3), rng)
    assert abs(drawn.mean() - 0.3) < 0.02
    data = load("digits", tokenizer=Levels(num_values=17))
    assert data.train.num_values == 17
    assert data.train.tokens.max() == 17


def test_area_average_keeps_the_mean():
    rng = np.random.default_rng(0)
    grey = rng.random((3, 28, 28)).astype(np.float32)
    for side in (14, 10, 28):
        small = area_average(grey, side)
        assert small.shape == (3, side, side)
        np.testing.assert_allclose(small.mean((1, 2)), grey.mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(area_average(grey, 28), grey, rtol=1e-6)


def write_idx(folder, n_train=30, n_test=10):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for prefix, n in (("train", n_train), ("t10k", n_test)):
        pixels = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = (np.arange(n) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", pixels), ("labels-idx1", labels)):
            head = bytes([0, 0, 8, array.ndim]) + struct.pack(
                f">{array.ndim}I", *array.shape
            )
            with gzip.open(folder / f"{prefix}-{kind}-ubyte.gz", "wb") as file:
                file.write(head + array.tobytes())


def test_mnist_from_a_folder(tmp_path, monkeypatch):
    write_idx(tmp_path / "mnist")
    data = load("mnist", dir=str(tmp_path), num_train=20, num_test=5, side=7)
    assert len(data.train) + len(data.valid) == 20
    assert data.train.shape == (7, 7)
    monkeypatch.setenv("AMBIENT_DATA_DIR", str(tmp_path / "mnist"))
    assert len(load("mnist").held_out.test) == 10


@pytest.fixture
def server(tmp_path):
    """An HTTP server of the folder `mirror`."""
    handler = functools.partial(QuietHandler, directory=str(tmp_path / "mirror"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): ...


def test_mnist_through_tfds_without_tensorflow(tmp_path, monkeypatch, server, capfd):
    """The builder downloads, prepares array_record files and reads them back."""
    from ambient_jax.data.ambient_mnist import download

    write_idx(tmp_path / "mirror")
    monkeypatch.setattr(download, "MIRROR", server)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.delenv("AMBIENT_DATA_DIR", raising=False)
    parts = download.load()
    assert parts["train"].shape == (30, 28, 28)
    assert sorted(parts["train_labels"]) == sorted(np.arange(30) % 10)
    monkeypatch.setattr(download, "MIRROR", "http://127.0.0.1:9/")
    assert np.array_equal(download.load()["test"], parts["test"])  # no second download
    assert "TensorFlow" not in "".join(capfd.readouterr())


def test_a_download_that_cannot_work_fails_early_with_the_way_out(
    tmp_path, monkeypatch
):
    from ambient_jax.data.ambient_mnist import download

    monkeypatch.setattr(download, "MIRROR", "http://127.0.0.1:9/")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("AMBIENT_DATA_DIR", raising=False)
    with pytest.raises(UserError, match=r"config.data.dir=FOLDER"):
        load("mnist")


# --- users' own files ---------------------------------------------------------------

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


def test_rows_that_differ_in_length_are_no_array():
    with pytest.raises(UserError, match="mine is no array: its rows differ in length"):
        whole_numbers("mine", [[1, 0], [1]])


@pytest.mark.parametrize(
    ("source", "fields", "message"),
    [
        ("mnist14", {}, "the data are mnist with side=14"),
        ("digitz", {}, "did you mean 'digits'"),
        ("digits", {"side": 9}, "use 2..8"),
        ("digits", {"num_train": 10**6}, "there are 1397 rows"),
        ("digits", {"num_valid": 5000}, "num_valid"),
        ("mnist", {"dir": "/nonexistent"}, "does not hold train-images"),
        ("binarized_mnist", {"dir": "/nonexistent"}, "does not hold train.mat"),
    ],
)
def test_wrong_settings_say_what_to_do(source, fields, message):
    with pytest.raises(UserError, match=message):
        load(source, **fields)


def test_torn_idx_files_are_named(tmp_path):
    write_idx(tmp_path)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match="t10k-images"):
        load("mnist", dir=str(tmp_path))
