"""A trained model: samples, imputes and scores with one network."""

import dataclasses
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from ambient_jax import keys
from ambient_jax.assembly.settings import Settings
from ambient_jax.data.npz import whole_numbers
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.errors import UserError
from ambient_jax.files import digest, write_json, write_npz
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.mesh import make_mesh
from ambient_jax.nesting import flatten, nest
from ambient_jax.networks.text_transformer import TextTransformer
from ambient_jax.networks.transformer import Transformer
from ambient_jax.networks.unet import UNet
from ambient_jax.types import Denoiser, Params

FORMAT = "ambient_jax.Model"
NETWORKS: Mapping[str, type] = {
    kind.__name__: kind for kind in (UNet, Transformer, TextTransformer)
}
"""Networks that a saved model names; any other one is given to `Model.load`."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A denoiser with its parameters.

    Rows are integers `[N, *shape]` (or `[N, L]`), values 0..V-1, and -1 where unknown.

    Attributes:
      denoiser: the network.
      params: its parameters.
      shape: of one row, (H, W) or (L,).
      sampler: reveals and corrector sweeps of samples and imputations.
      mesh: devices; default all.
      batch_size: rows per call.
    """

    denoiser: Denoiser
    params: Params
    shape: tuple[int, ...]
    sampler: Sampler = Settings.sampler
    mesh: Mesh = field(default_factory=make_mesh)
    batch_size: int = 256

    def sample(self, num: int, *, seed: int = 0) -> np.ndarray:
        """Returns `num` new rows `[num, *shape]` drawn from the model."""
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
        for index in range(num_draws):
            key = keys.derive(seed, keys.Purpose.IMPUTE, index)
            yield self._shaped(self._functions.draw(self.params, key, z))

    def impute(
        self, rows: np.ndarray, *, num_draws: int = 1, seed: int = 0
    ) -> np.ndarray:
        """Returns posterior draws `[num_draws, N, *shape]`.

        Observed cells are returned bit for bit.
        """
        return np.stack(list(self.draws(rows, num_draws, seed=seed)))

    def posterior_mean(self, rows: np.ndarray) -> np.ndarray:
        """Returns the mean value `[N, *shape]` of each cell given the observed ones.

        It takes one forward pass; observed cells are returned as they are.
        """
        z = self.tokens(rows)
        key = keys.derive(0, keys.Purpose.IMPUTE)
        _, mean = self._functions.marginals(self.params, key, z)
        return self._shaped(np.where(z < self.denoiser.num_values, z, mean))

    def score(
        self, rows: np.ndarray, *, num_draws: int = 4, seed: int = 0
    ) -> np.ndarray:
        """Returns a lower bound (ELBO) of log p(observed cells) of each row, in nats.

        Missing cells are marginalised: they stay masked, at no cost.

        Args:
          rows: `[N, *shape]`.
          num_draws: repeats of the estimate, each of ten forward passes, over which
            its noise is averaged.
          seed: of the estimate.

        Returns:
          `[N]` nats.
        """
        _at_least_one(num_draws=num_draws)
        z = self.tokens(rows)
        key = keys.derive(seed, keys.Purpose.EVALUATION)
        observed = z < self.denoiser.num_values
        nats = [
            self._functions.elbo(self.params, jax.random.fold_in(key, d), z, observed)
            for d in range(num_draws)
        ]
        return -np.mean(nats, axis=(0, 2))

    def tokens(self, rows: np.ndarray) -> np.ndarray:
        """Returns `rows` as `[N, L]` int32 tokens, with MASK for -1.

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

    def save(self, path: str | Path) -> None:
        """Writes the model into the folder `path`: `model.json` and `model.npz`.

        Each file appears complete or not at all, `model.json` last. Nothing is pickled.
        A network of your own is not described there; give it to `load` again.
        """
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        flat = flatten(self.params, "/")
        write_npz(folder / "model.npz", {k: np.asarray(v) for k, v in flat.items()})
        network, fields = type(self.denoiser).__name__, None
        if type(self.denoiser) in NETWORKS.values():
            fields = dataclasses.asdict(self.denoiser)  # type: ignore[arg-type]
        write_json(folder / "model.json", {
            "format": FORMAT, "version": 1, "network": network, "fields": fields,
            "shape": list(self.shape), "sampler": dataclasses.asdict(self.sampler),
            "batch_size": self.batch_size,
            "npz_sha256": digest((folder / "model.npz").read_bytes()),
        })  # fmt: skip

    @classmethod
    def load(cls, path: str | Path, denoiser: Denoiser | None = None) -> "Model":
        """Reads what `save` wrote. Runs no code from the files.

        Args:
          path: the folder.
          denoiser: the network, where it is not one of this package.

        Raises:
          UserError: there is no such model, it is damaged, or its network is needed.
        """
        folder = Path(path)
        try:
            stored = json.loads((folder / "model.json").read_text())
            if stored.get("format") != FORMAT:
                raise ValueError("it is of another format")
            data = (folder / "model.npz").read_bytes()
            if stored["npz_sha256"] != digest(data):
                raise ValueError("model.npz does not belong to its model.json")
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                params = nest({name: archive[name] for name in archive.files}, "/")
            return cls(
                denoiser=denoiser or _network(stored), params=params,
                shape=tuple(stored["shape"]), sampler=Sampler(**stored["sampler"]),
                batch_size=stored["batch_size"],
            )  # fmt: skip
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UserError(
                f"{folder} holds no saved Model ({error.strerror})"
            ) from error
        except UserError:
            raise
        except Exception as error:  # a torn file fails in zip, JSON, NumPy, or a key
            raise UserError(
                f"{folder} holds a damaged or foreign model ({error})"
            ) from error

    def _shaped(self, flat: np.ndarray) -> np.ndarray:
        return flat.reshape(len(flat), *self.shape)

    @cached_property
    def _functions(self) -> RowFunctions:
        return RowFunctions(self.denoiser, self.mesh, self.batch_size, self.sampler)


def _network(stored: Mapping[str, Any]) -> Denoiser:
    """The network that a saved model names."""
    if stored["fields"] is None:
        raise UserError(
            f"the model has a network of your own, {stored['network']}; give it as "
            "Model.load(path, denoiser=...)"
        )
    fields = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in stored["fields"].items()
    }
    return NETWORKS[stored["network"]](**fields)


def _at_least_one(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise UserError(f"{name} must be at least 1, got {count}")
