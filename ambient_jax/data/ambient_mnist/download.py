"""MNIST through tensorflow-datasets, prepared and read without TensorFlow."""

import contextlib
import io
import os
import urllib.request

import numpy as np

from ambient_jax.errors import UserError

MIRROR = "https://storage.googleapis.com/cvdf-datasets/mnist/"


def load() -> dict[str, np.ndarray]:
    """Pictures and labels of both parts; downloads 11 MB into TFDS_DATA_DIR once.

    Raises:
      UserError: the files cannot be downloaded; says how to go on without.
    """
    from ambient_jax.data.ambient_mnist import ambient_mnist

    place = os.environ.get("TFDS_DATA_DIR")
    builder = ambient_mnist.AmbientMnist(data_dir=place, file_format="array_record")
    if not builder.data_path.exists():
        _check_reachable(MIRROR + "train-labels-idx1-ubyte.gz")
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # advice to install TensorFlow
            builder.download_and_prepare()
            train, test = (_read(builder, part) for part in ("train", "test"))
    except (OSError, AssertionError, ValueError, RuntimeError) as error:
        line = " ".join(str(error).split())[:200]
        raise UserError(f"MNIST could not be prepared: {line}; {WAY_OUT}") from error
    return {
        "train": train[0], "train_labels": train[1],
        "test": test[0], "test_labels": test[1],
    }  # fmt: skip


def _read(builder, part: str) -> tuple[np.ndarray, np.ndarray]:
    source = builder.as_data_source(split=part)
    rows = [source[i] for i in range(len(source))]
    return np.stack([r["image"] for r in rows]), np.array([r["label"] for r in rows])


def _check_reachable(url: str) -> None:
    """TFDS retries a failed download for minutes; this fails in seconds."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except (OSError, ValueError) as error:
        raise UserError(f"MNIST cannot be downloaded ({error}); {WAY_OUT}") from error


WAY_OUT = (
    "give a folder of the four idx .gz files with --config.data.dir=FOLDER or "
    "AMBIENT_DATA_DIR, or use the :digits data, which need no download"
)
