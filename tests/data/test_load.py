"""Sources: what training is handed, splits, seeds, broken files."""

import functools
import gzip
import http.server
import struct
import threading

import numpy as np
import pytest

from ambient_jax.data import idx
from ambient_jax.data.load import load_dataset
from ambient_jax.data.missingness import MCAR
from ambient_jax.data.pictures import area_average
from ambient_jax.data.tokenizer import Levels, Stochastic, Threshold
from ambient_jax.errors import ArgumentError, UserError
from ambient_jax.experiment import build
from configs import baseline


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
    oracle = load("digits", complete="all")
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
    monkeypatch.setattr(idx, "MIRROR", server)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.delenv("AMBIENT_DATA_DIR", raising=False)
    parts = download.load()
    assert parts["train"].shape == (30, 28, 28)
    assert sorted(parts["train_labels"]) == sorted(np.arange(30) % 10)
    monkeypatch.setattr(idx, "MIRROR", "http://127.0.0.1:9/")
    assert np.array_equal(download.load()["test"], parts["test"])  # no second download
    assert "TensorFlow" not in "".join(capfd.readouterr())


def test_a_download_that_cannot_work_fails_early_with_the_way_out(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(idx, "MIRROR", "http://127.0.0.1:9/")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("AMBIENT_DATA_DIR", raising=False)
    with pytest.raises(ArgumentError, match=r"with dir=FOLDER") as caught:
        load("mnist")
    assert caught.value.argument == "dir"
    with pytest.raises(UserError, match=r" --config\.data\.dir=FOLDER or .* :digits"):
        build.dataset(baseline.get_config("mnist"))


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
