"""The rows that a person looks at: samples, and completions beside the truth."""

from dataclasses import dataclass

import jax
import numpy as np

from ambient_jax.data.dataset import Dataset
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.types import Params, RootKey


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Draws the arrays of `pictures.npz`.

    Attributes:
      count: of samples; half as many rows are completed.
    """

    functions: RowFunctions
    dataset: Dataset
    count: int = 32

    @property
    def row_passes(self) -> int:
        """What a call costs, in forward passes of the network times rows."""
        drawn = self.count
        if self.dataset.held_out is not None:
            drawn += min(self.count // 2, len(self.dataset.held_out.test))
        return drawn * self.functions.sampler.passes

    def __call__(
        self, params: Params, completions: np.ndarray, key: RootKey
    ) -> dict[str, np.ndarray]:
        """Tokens `[S, *shape]` with MASK = V in holes, by name:

        `samples`; `test_truth`, `test_observed`, `test_completed` (one draw),
        `test_mean` (posterior mean in [0, 1], not of text) where there are test rows;
        `train_observed`, `train_completed`; the scalar `num_values`.
        """
        data, functions = self.dataset, self.functions
        generate, complete = jax.random.split(key)
        mask, half = data.train.mask, self.count // 2
        z = np.full((self.count, data.train.tokens.shape[1]), mask, np.int32)
        found = {
            "samples": functions.draw(params, generate, z),
            "train_observed": data.train.tokens[:half],
            "train_completed": completions[:half],
        }
        if data.held_out is not None:
            shown = data.held_out.shown[:half]
            found["test_observed"] = shown
            found["test_completed"] = functions.draw(params, complete, shown)
            if data.alphabet is None:
                mean = functions.marginals(params, complete, shown)[1]
                found["test_mean"] = np.where(shown < mask, shown, mean) / (mask - 1)
            if data.held_out.complete:
                found["test_truth"] = data.held_out.test[:half]
        shape = data.train.shape
        shaped = {k: v.reshape(len(v), *shape) for k, v in found.items()}
        return shaped | {"num_values": np.asarray(mask)}
