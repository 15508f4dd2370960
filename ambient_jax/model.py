"""A trained model: sample, impute and score with one network."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import jax
import numpy as np
from jax.sharding import Mesh

from ambient_jax import keys
from ambient_jax.data.npz import whole_numbers
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.errors import UserError
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.mesh import make_mesh
from ambient_jax.types import Denoiser, Params


@dataclass(frozen=True, kw_only=True)
class Model:
    """A denoiser with its parameters.

    Rows are integers `[N, *shape]` (or `[N, L]`), values 0..V-1, and -1 where unknown.

    Attributes:
      denoiser: the network.
      params: its parameters.
      shape: of one row, (H, W) or (L,).
      sampler: default settings of the reverse process.
      mesh: devices; default all.
      batch_size: rows per call.
    """

    denoiser: Denoiser
    params: Params
    shape: tuple[int, ...]
    sampler: Sampler = field(default_factory=Sampler)
    mesh: Mesh = field(default_factory=make_mesh)
    batch_size: int = 256

    def sample(self, num: int, *, seed: int = 0) -> np.ndarray:
        """`num` new rows `[num, *shape]` from the model."""
        _at_least_one(num=num)
        z = np.full((num, self.denoiser.length), self.denoiser.num_values)
        key = keys.derive(seed, keys.Purpose.SAMPLE)
        return self._shaped(self._functions.draw(self.params, key, z.astype(np.int32)))

    def draws(
        self, rows: np.ndarray, num_draws: int, *, seed: int = 0
    ) -> Iterator[np.ndarray]:
        """Yields `num_draws` completions `[N, *shape]` of `rows`, one at a time.

        Each is a draw from the joint posterior of all missing cells of a row.
        """
        _at_least_one(num_draws=num_draws)
        z = self.tokens(rows)
        for number in range(num_draws):
            key = keys.derive(seed, keys.Purpose.IMPUTE, number)
            yield self._shaped(self._functions.draw(self.params, key, z))

    def impute(
        self, rows: np.ndarray, *, num_draws: int = 1, seed: int = 0
    ) -> np.ndarray:
        """`[K, N, *shape]` posterior draws; observed cells are returned bit for bit."""
        return np.stack(list(self.draws(rows, num_draws, seed=seed)))

    def posterior_mean(self, rows: np.ndarray) -> np.ndarray:
        """`[N, *shape]` mean token value of each cell given the observed ones.

        One forward pass; observed cells are their own value.
        """
        z = self.tokens(rows)
        key = keys.derive(0, keys.Purpose.IMPUTE)
        _, mean = self._functions.marginals(self.params, key, z)
        return self._shaped(np.where(z < self.denoiser.num_values, z, mean))

    def score(self, rows: np.ndarray, *, draws: int = 4, seed: int = 0) -> np.ndarray:
        """ELBO on log p(observed cells) of each row, in nats `[N]`.

        Missing cells are marginalised: they stay masked, at no cost. The noise of the
        estimate falls with `draws`, each of which costs ten forward passes.
        """
        _at_least_one(draws=draws)
        z = self.tokens(rows)
        key = keys.derive(seed, keys.Purpose.EVALUATION)
        observed = z < self.denoiser.num_values
        nats = [
            self._functions.elbo(self.params, jax.random.fold_in(key, d), z, observed)
            for d in range(draws)
        ]
        return -np.mean(nats, axis=(0, 2))

    def tokens(self, rows: np.ndarray) -> np.ndarray:
        """`rows` as `[N, L]` int32 tokens with MASK for -1.

        Raises:
          UserError: no rows, another shape, values outside -1..V-1, or not whole
            numbers.
        """
        rows = whole_numbers("rows", rows)
        values = self.denoiser.num_values
        if rows.ndim < 2 or rows.shape[1:] not in (self.shape, (self.denoiser.length,)):
            raise UserError(
                f"rows have shape {rows.shape}; this model needs [N, "
                f"{', '.join(map(str, self.shape))}]"
            )
        if len(rows) == 0:
            raise UserError("there are no rows; give at least one")
        if not (rows.min() >= -1 and rows.max() < values):
            raise UserError(
                f"values must lie in 0..{values - 1} (-1 where unknown); found "
                f"{rows.min()}..{rows.max()}"
            )
        flat = rows.reshape(len(rows), -1).astype(np.int32)
        return np.where(flat < 0, values, flat).astype(np.int32)

    def _shaped(self, flat: np.ndarray) -> np.ndarray:
        return flat.reshape(len(flat), *self.shape)

    @cached_property
    def _functions(self) -> RowFunctions:
        return RowFunctions(self.denoiser, self.mesh, self.batch_size, self.sampler)


def _at_least_one(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise UserError(f"{name} must be at least 1, got {count}")
