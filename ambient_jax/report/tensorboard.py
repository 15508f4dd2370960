"""Writes TensorBoard scalars and pictures, without TensorFlow.

tensorboardX is an optional dependency; without it nothing is written.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ambient_jax.report.figures import grid, to_rgb

MAGNIFICATION = 4
"""Screen pixels per pixel of a row, since TensorBoard blurs what it enlarges."""


def is_installed() -> bool:
    """Whether event files can be written."""
    return importlib.util.find_spec("tensorboardX") is not None


class TensorBoard:
    """Writer of an event file.

    Args:
      folder: where the file is written.
      step: step from which the run continues. TensorBoard then hides what a killed run
        wrote after it.
    """

    def __init__(self, folder: Path, step: int):
        self._writer = None
        if is_installed():
            from tensorboardX import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=step or None)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds one point to the curve of each name."""
        if self._writer is None:
            return
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def pictures(self, step: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Adds the rows of a `Gallery`, as one picture per name."""
        if self._writer is None:
            return
        values = int(arrays["num_values"])
        for name in ("samples", "test_observed", "test_completed", "train_completed"):
            if name in arrays:
                picture = grid(to_rgb(arrays[name], values), columns=8)
                picture = picture.repeat(MAGNIFICATION, 0).repeat(MAGNIFICATION, 1)
                self._writer.add_image(name, picture, step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Writes what is still buffered and closes the file."""
        if self._writer is not None:
            self._writer.close()
