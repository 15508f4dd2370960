"""The batches of a round: whole passes over the rows, each in a new order."""

from dataclasses import dataclass

import numpy as np
from jax.sharding import Mesh

from ambient_jax import keys
from ambient_jax import mesh as meshes
from ambient_jax.family import Batch, TrainingData


def passes(
    rng: np.random.Generator, rows: np.ndarray, steps: int, size: int
) -> np.ndarray:
    """Returns `[steps, size]` of `rows`: whole passes, each in a new order."""
    needed = steps * size
    order = [rng.permutation(rows) for _ in range(max(1, -(-needed // len(rows))))]
    return np.concatenate(order)[:needed].reshape(steps, size)


@dataclass(frozen=True)
class Batches:
    """Batches of incomplete rows and their completions.

    Attributes:
      data: the incomplete rows.
      seed: of the run.
      steps: batches of a round.
      size: rows of a batch.
      mesh: devices; a batch is split over its `data` axis.
    """

    data: TrainingData
    seed: int
    steps: int
    size: int
    mesh: Mesh

    def order(self, round_: int) -> np.ndarray:
        """Returns the row indices `[steps, size]` of a round."""
        rng = keys.host_rng(self.seed, keys.Purpose.BATCH_ORDER, round_)
        return passes(rng, np.arange(len(self.data)), self.steps, self.size)

    def placed(self, completions: np.ndarray, where: np.ndarray) -> Batch:
        """Returns the rows with the indices `where`, on the devices."""
        optional = (self.data.context, self.data.excluded_rows)
        rows = Batch(
            self.data.rows[where],
            completions[where],
            *(None if array is None else array[where] for array in optional),
        )
        return meshes.put_rows(self.mesh, rows)
