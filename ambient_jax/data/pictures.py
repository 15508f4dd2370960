"""Picture sources: scikit-learn digits, MNIST (files or TFDS), binarized MNIST."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ambient_jax.data.idx import IDX_FILES, read_idx
from ambient_jax.errors import ArgumentError, UserError

TEST_DIGITS = 400
"""Number of scikit-learn's digits that are test rows, some 22 %, close to MNIST's
share of 14 % while standard errors stay small. Published figures depend on it."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Grey levels in [0, 1], `[N, H, W]` float32, with labels if the source has them.

    Attributes:
      train: pictures to train on.
      test: pictures to evaluate on.
      train_labels: `[N]` integer classes, or None.
      test_labels: `[M]` integer classes, or None.
    """

    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None

    def resized(self, side: int | None) -> "Pictures":
        """Returns the pictures area-averaged to `side` x `side`; itself for None.

        Raises:
          ArgumentError: `side` is below 2 or larger than the pictures.
        """
        if side is None:
            return self
        if not 1 < side <= min(self.train.shape[1:]):
            height, width = self.train.shape[1:]
            raise ArgumentError(
                "side",
                f"{{argument}}={side}: the pictures are {height}x{width}; "
                f"use 2..{min(height, width)}",
            )
        return Pictures(
            train=area_average(self.train, side),
            test=area_average(self.test, side),
            train_labels=self.train_labels,
            test_labels=self.test_labels,
        )


def area_average(grey: np.ndarray, side: int) -> np.ndarray:
    """Resizes `[N, H, W]` to `[N, side, side]`; a new pixel is the mean of its area."""

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
    """Returns scikit-learn's 1,797 digits (8x8), of which `TEST_DIGITS` are for tests.

    They come in a random order, which decides which of them are test rows.
    """
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    order = rng.permutation(len(found.images))
    grey = (found.images / 16.0).astype(np.float32)[order]
    labels = found.target[order]
    return Pictures(
        train=grey[TEST_DIGITS:], train_labels=labels[TEST_DIGITS:],
        test=grey[:TEST_DIGITS], test_labels=labels[:TEST_DIGITS],
    )  # fmt: skip


def mnist(folder: str | None) -> Pictures:
    """Reads MNIST from a folder of the idx `.gz` files, else from tensorflow-datasets.

    Args:
      folder: holds the files or a subfolder `mnist`. None: the folder that the
        environment variable `AMBIENT_DATA_DIR` names, or a download if it is not set.

    Raises:
      UserError: the folder lacks a file, or the download fails.
    """
    source = _folder(folder, "mnist", "train-images-idx3-ubyte.gz")
    if source is None:
        from ambient_jax.data.ambient_mnist.download import load

        parts = load()
    else:
        parts = {
            name: read_idx(source / f"{prefix}-{kind}.gz")
            for name, prefix, kind in IDX_FILES
        }
    return Pictures(
        train=parts["train"].astype(np.float32) / 255.0,
        test=parts["test"].astype(np.float32) / 255.0,
        train_labels=parts["train_labels"],
        test_labels=parts["test_labels"],
    )


def binarized_mnist(folder: str | None) -> Pictures:
    """Reads the static binarization (Salakhutdinov & Murray 2008) from `.mat` files.

    Args:
      folder: holds `train.mat`, `valid.mat` and `test.mat`, or a subfolder
        `binarized_mnist` with them. None: the folder that the environment variable
        `AMBIENT_DATA_DIR` names.

    Raises:
      UserError: no folder is given, or a file is absent or damaged.
    """
    from scipy.io import loadmat

    source = _folder(folder, "binarized_mnist", "train.mat")
    if source is None:
        raise ArgumentError(
            "dir",
            "binarized_mnist is read from a folder of train.mat, valid.mat, test.mat; "
            "give it with {argument}=FOLDER or AMBIENT_DATA_DIR",
        )
    parts = {}
    for name in ("train", "valid", "test"):
        try:
            rows = loadmat(source / f"{name}.mat")["X"]
        except (OSError, ValueError, KeyError, NotImplementedError) as error:
            raise UserError(
                f"{source / f'{name}.mat'} cannot be read: {error}"
            ) from error
        parts[name] = rows.reshape(-1, 28, 28).astype(np.float32)
    train = np.concatenate([parts["train"], parts["valid"]])
    return Pictures(train=train, test=parts["test"])


def _folder(folder: str | None, name: str, needed: str) -> Path | None:
    """Returns the folder that holds the file `needed`.

    None if neither `folder` nor the environment variable `AMBIENT_DATA_DIR` is given.

    Raises:
      UserError: neither the given folder nor its subfolder `name` holds the file.
    """
    given = folder or os.environ.get("AMBIENT_DATA_DIR")
    if not given:
        return None
    base = Path(given).expanduser()
    for candidate in (base, base / name):
        if (candidate / needed).exists():
            return candidate
    problem = f"does not hold {needed} (nor {name}/{needed})"
    if folder:
        raise ArgumentError("dir", f"{{argument}}={folder} {problem}")
    raise UserError(f"AMBIENT_DATA_DIR={given} {problem}")
