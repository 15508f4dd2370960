"""Picture sources: scikit-learn digits, MNIST (files or TFDS), binarized MNIST."""

import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ambient_jax.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Grey levels in [0, 1], `[N, H, W]` float32, and labels where there are any."""

    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None

    def resized(self, side: int | None) -> "Pictures":
        """Area-averaged to `side` x `side`; unchanged for None.

        Raises:
          UserError: `side` is larger than the pictures, or not positive.
        """
        if side is None:
            return self
        if not 1 < side <= min(self.train.shape[1:]):
            raise UserError(
                f"config.data.side={side}: the pictures are "
                f"{self.train.shape[1]}x{self.train.shape[2]}; use 2.."
                f"{min(self.train.shape[1:])}"
            )
        return Pictures(
            train=area_average(self.train, side),
            test=area_average(self.test, side),
            train_labels=self.train_labels,
            test_labels=self.test_labels,
        )


def area_average(grey: np.ndarray, side: int) -> np.ndarray:
    """`[N, H, W] -> [N, side, side]`: each new pixel is the mean over its area."""

    def overlaps(size: int) -> np.ndarray:
        edges = np.linspace(0, size, side + 1)
        low = np.maximum(edges[:-1, None], np.arange(size))
        high = np.minimum(edges[1:, None], np.arange(size) + 1)
        weight = np.maximum(high - low, 0)
        return weight / weight.sum(axis=1, keepdims=True)

    rows, columns = overlaps(grey.shape[1]), overlaps(grey.shape[2])
    return np.einsum("ah,nhw,bw->nab", rows, grey, columns, optimize=True).astype(
        np.float32
    )


def digits(rng: np.random.Generator) -> Pictures:
    """The 1,797 digits of 8x8 pixels inside scikit-learn; 400 of them are the test."""
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    order = rng.permutation(len(found.images))
    grey = (found.images / 16.0).astype(np.float32)[order]
    labels = found.target[order]
    return Pictures(
        train=grey[400:], train_labels=labels[400:],
        test=grey[:400], test_labels=labels[:400],
    )  # fmt: skip


def mnist(folder: str | None) -> Pictures:
    """MNIST from a folder of the idx `.gz` files, or through tensorflow-datasets.

    `folder` (or `AMBIENT_DATA_DIR`) may hold the files or a subfolder `mnist`.

    Raises:
      UserError: the folder lacks a file, or the download fails.
    """
    place = _folder(folder, "mnist", "train-images-idx3-ubyte.gz")
    if place is None:
        from ambient_jax.data.ambient_mnist.download import load

        parts = load()
    else:
        parts = {
            name: read_idx(place / f"{prefix}-{kind}.gz")
            for name, prefix, kind in IDX_FILES
        }
    return Pictures(
        train=parts["train"].astype(np.float32) / 255.0,
        test=parts["test"].astype(np.float32) / 255.0,
        train_labels=parts["train_labels"],
        test_labels=parts["test_labels"],
    )


def binarized_mnist(folder: str | None) -> Pictures:
    """The static binarization (Salakhutdinov & Murray 2008) from `.mat` files.

    Raises:
      UserError: no folder, or files that are absent or torn.
    """
    from scipy.io import loadmat

    place = _folder(folder, "binarized_mnist", "train.mat")
    if place is None:
        raise UserError(
            "binarized_mnist is read from a folder of train.mat, valid.mat, test.mat; "
            "give it with --config.data.dir=FOLDER or AMBIENT_DATA_DIR"
        )
    parts = {}
    for name in ("train", "valid", "test"):
        try:
            rows = loadmat(place / f"{name}.mat")["X"]
        except (OSError, ValueError, KeyError, NotImplementedError) as error:
            raise UserError(
                f"{place / f'{name}.mat'} cannot be read: {error}"
            ) from error
        parts[name] = rows.reshape(-1, 28, 28).astype(np.float32)
    train = np.concatenate([parts["train"], parts["valid"]])
    return Pictures(train=train, test=parts["test"])


def read_idx(path: Path) -> np.ndarray:
    """An idx `.gz` file of unsigned bytes (magic number, sizes, data).

    Raises:
      UserError: absent or torn.
    """
    try:
        with gzip.open(path) as file:
            raw = file.read()
        sizes = np.frombuffer(raw, ">u4", count=raw[3], offset=4).astype(int)
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise UserError(f"{path} cannot be read as an idx file: {error}") from error


def _folder(folder: str | None, name: str, needed: str) -> Path | None:
    """The folder that holds `needed`, or None where the user gave no folder."""
    given = folder or os.environ.get("AMBIENT_DATA_DIR")
    if not given:
        return None
    base = Path(given).expanduser()
    for place in (base, base / name):
        if (place / needed).exists():
            return place
    source = "config.data.dir" if folder else "AMBIENT_DATA_DIR"
    raise UserError(f"{source}={given} does not hold {needed} (nor {name}/{needed})")


IDX_FILES = (
    ("train", "train", "images-idx3-ubyte"),
    ("train_labels", "train", "labels-idx1-ubyte"),
    ("test", "t10k", "images-idx3-ubyte"),
    ("test_labels", "t10k", "labels-idx1-ubyte"),
)
