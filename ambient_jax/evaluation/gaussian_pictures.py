"""The rows of a Gaussian run that a person looks at, as 256 grey levels."""

from dataclasses import dataclass

import jax
import numpy as np

from ambient_jax.data.continuous import ContinuousDataset
from ambient_jax.evaluation.posterior_means import PosteriorMeans
from ambient_jax.types import Params, RootKey

LEVELS = 256
"""Grey levels, from the smallest to the largest observed value of the training rows."""


@dataclass(frozen=True, kw_only=True)
class GaussianGallery:
    """Draws the arrays of `pictures.npz`, in the form of `evaluation.pictures.Gallery`.

    Attributes:
      means: posterior means, and the functions of the network.
      dataset: rows to train on and test rows.
      count: of samples; half as many rows are completed.
    """

    means: PosteriorMeans
    dataset: ContinuousDataset
    count: int = 32

    @property
    def row_passes(self) -> int:
        """What a call costs, in forward passes of the network times rows."""
        half, held_out = self.count // 2, self.dataset.held_out
        tests = 0 if held_out is None else min(half, len(held_out.test))
        sampled = self.count * self.means.functions.completer.sampler.passes
        return sampled + tests * self.means.passes

    def __call__(
        self, params: Params, completions: np.ndarray, key: RootKey
    ) -> dict[str, np.ndarray]:
        """Returns grey levels `[S, *shape]`, with V = 256 in holes; see `Gallery`."""
        data, half = self.dataset, self.count // 2
        generate, complete = jax.random.split(key)
        empty = np.zeros((self.count, data.train.rows.shape[1]), np.float32)
        functions, restored = self.means.functions, data.scaling.restored
        found = {
            "samples": restored(functions.sample(params, generate, empty)),
            "train_observed": restored(data.train.rows[:half]),
            "train_completed": restored(completions[:half]),
        }
        if data.held_out is not None:
            shown = data.held_out.shown[:half]
            found["test_observed"] = shown
            found["test_mean"] = self.means(params, complete, shown)
            found["test_truth"] = data.held_out.test[:half]
        grey = {k: self._grey(v).reshape(len(v), *data.train.shape)
                for k, v in found.items()}  # fmt: skip
        if "test_mean" in grey:
            grey["test_mean"] = grey["test_mean"] / (LEVELS - 1)
        return grey | {"num_values": np.asarray(LEVELS)}

    def _grey(self, x: np.ndarray) -> np.ndarray:
        rows = self.dataset.scaling.restored(self.dataset.train.rows)
        low, high = float(np.nanmin(rows)), float(np.nanmax(rows))
        share = np.clip((x - low) / max(high - low, 1e-12), 0.0, 1.0)
        level = np.round(np.nan_to_num(share) * (LEVELS - 1))
        return np.where(np.isnan(x), LEVELS, level).astype(np.uint16)
