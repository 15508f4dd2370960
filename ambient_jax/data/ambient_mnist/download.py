"""MNIST through tensorflow-datasets, prepared and read without TensorFlow."""

import contextlib
import io
import os
import urllib.request

import numpy as np

from ambient_jax.data import idx
from ambient_jax.errors import ArgumentError


def load() -> dict[str, np.ndarray]:
    """Returns the pictures and labels of both splits, under the names of `IDX_FILES`.

    The first call downloads 11 MB into `TFDS_DATA_DIR`.

    Raises:
      ArgumentError: the files cannot be downloaded and must be given as `dir`.
    """
    # Importing tensorflow-datasets takes seconds, which other sources do not need.
    try:
        from ambient_jax.data.ambient_mnist.ambient_mnist import AmbientMnist
    except ModuleNotFoundError as error:
        lacks = f'{error.name} is not installed (pip install "ambient_jax[pictures]")'
        raise _unavailable(lacks) from error

    folder = os.environ.get("TFDS_DATA_DIR")
    builder = AmbientMnist(data_dir=folder, file_format="array_record")
    if not builder.data_path.exists():
        _check_reachable(idx.MIRROR + "train-labels-idx1-ubyte.gz")
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # advice to install TensorFlow
            builder.download_and_prepare()
            train, test = (_read(builder, split) for split in ("train", "test"))
    except (OSError, AssertionError, ValueError, RuntimeError) as error:
        line = " ".join(str(error).split())[:200]
        raise _unavailable(f"MNIST could not be prepared: {line}") from error
    return {
        "train": train[0], "train_labels": train[1],
        "test": test[0], "test_labels": test[1],
    }  # fmt: skip


def _read(builder, split: str) -> tuple[np.ndarray, np.ndarray]:
    source = builder.as_data_source(split=split)
    rows = [source[i] for i in range(len(source))]
    return np.stack([r["image"] for r in rows]), np.array([r["label"] for r in rows])


def _check_reachable(url: str) -> None:
    """Fails in seconds, where TFDS would retry a failed download for minutes."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except (OSError, ValueError) as error:
        raise _unavailable(f"MNIST cannot be downloaded ({error})") from error


def _unavailable(problem: str) -> ArgumentError:
    advice = (
        "give a folder of the four idx .gz files with {argument}=FOLDER or "
        "AMBIENT_DATA_DIR"
    )
    return ArgumentError("dir", f"{problem}; {advice}")
