"""MNIST's idx files: their names, where they are served, and how they are read."""

import gzip
from pathlib import Path

import numpy as np

from ambient_jax.errors import UserError

MIRROR = "https://storage.googleapis.com/cvdf-datasets/mnist/"
"""Address that serves the four files; the original site no longer does reliably."""

IDX_FILES = (
    ("train", "train", "images-idx3-ubyte"),
    ("train_labels", "train", "labels-idx1-ubyte"),
    ("test", "t10k", "images-idx3-ubyte"),
    ("test_labels", "t10k", "labels-idx1-ubyte"),
)
"""Name of an array, and the two parts of its file's name `{prefix}-{kind}.gz`."""


def read_idx(path: Path) -> np.ndarray:
    """Reads an idx `.gz` file of unsigned bytes (magic number, sizes, data).

    Raises:
      UserError: the file does not exist or is damaged.
    """
    try:
        with gzip.open(path) as file:
            raw = file.read()
        sizes = np.frombuffer(raw, ">u4", count=raw[3], offset=4).astype(int)
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise UserError(f"{path} cannot be read as an idx file: {error}") from error
