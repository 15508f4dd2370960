"""TensorBoard scalars and pictures, written without TensorFlow."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tensorboardX import SummaryWriter

from ambient_jax.report.figures import grid, to_rgb


class TensorBoard:
    """An event file in `folder`.

    Args:
      step: where the run goes on; what a killed run wrote after it is hidden.
    """

    def __init__(self, folder: Path, step: int):
        self._writer = SummaryWriter(str(folder), purge_step=step or None)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point on the curve of each name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def pictures(self, step: int, arrays: Mapping[str, np.ndarray]) -> None:
        """The rows of a `Gallery`, as one picture per name."""
        values = int(arrays["num_values"])
        for name in ("samples", "test_observed", "test_completed", "train_completed"):
            if name in arrays:
                picture = grid(to_rgb(arrays[name], values), columns=8)
                picture = picture.repeat(4, axis=0).repeat(4, axis=1)
                self._writer.add_image(name, picture, step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
