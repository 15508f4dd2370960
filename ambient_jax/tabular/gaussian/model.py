"""A fitted Gaussian table model: means and draws of the missing cells of a frame."""

import dataclasses
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Array

from ambient_jax import keys
from ambient_jax.diffusion.gaussian.repaint import RepaintCompleter
from ambient_jax.inference.row_map import RowMap
from ambient_jax.mesh import make_table_mesh
from ambient_jax.tabular.columns.column import fill_frame
from ambient_jax.tabular.frames.kinds import holes_of
from ambient_jax.tabular.gaussian.recipe import DiffPuterRecipe
from ambient_jax.tabular.gaussian.standard_codec import StandardCodec
from ambient_jax.types import GaussianDenoiser, Params, RowKeys, bind

BATCH = 256
"""Rows per call of the network."""


@dataclass(frozen=True, eq=False, kw_only=True)
class GaussianTableModel:
    """The codec of a table with a trained network.

    Attributes:
      codec: of the table's columns.
      denoiser, params: the network and its trained parameters, on the host.
      mean, single: completers of the mean of several draws, and of one draw.
    """

    codec: StandardCodec
    denoiser: GaussianDenoiser
    params: Params
    mean: RepaintCompleter
    single: RepaintCompleter

    @classmethod
    def of(
        cls, codec: StandardCodec, recipe: DiffPuterRecipe, params: Params
    ) -> "GaussianTableModel":
        """Returns the model of trained parameters, which draws as the recipe says."""
        return cls(
            codec=codec, denoiser=recipe.network(codec.length), params=params,
            mean=recipe.completer(recipe.num_draws), single=recipe.completer(1),
        )  # fmt: skip

    def __getstate__(self) -> dict[str, Any]:
        """Returns what is pickled: no device and no compiled function."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @cached_property
    def _by_mean(self) -> RowMap:
        return self._map(self.mean)

    @cached_property
    def _by_draw(self) -> RowMap:
        return self._map(self.single)

    def _map(self, completer: RepaintCompleter) -> RowMap:
        bound = (self.denoiser, completer)
        return RowMap(_complete, make_table_mesh(), BATCH, bound=bound)

    def means(self, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
        """Returns the frame completed by means of draws.

        The randomness is a function of the seed and of the row itself, so that a row is
        completed alike whatever the others are.
        """
        z = self.codec.encode(frame)
        ids = np.array([zlib.crc32(row.tobytes()) for row in z], np.uint32)
        return self._completed(frame, z, self._by_mean, seed, 0, ids)

    def draws(self, frame: pd.DataFrame, seed: int, count: int) -> list[pd.DataFrame]:
        """Returns `count` completions, each a draw of all missing cells jointly."""
        z, ids = self.codec.encode(frame), np.arange(len(frame))
        return [
            self._completed(frame, z, self._by_draw, seed, number, ids)
            for number in range(1, count + 1)
        ]

    def _completed(
        self, frame: pd.DataFrame, z: np.ndarray, completer: RowMap, seed: int,
        number: int, ids: np.ndarray,
    ) -> pd.DataFrame:  # fmt: skip
        holes, columns = holes_of(frame), self.codec.table.columns
        positions = [column.position for column in columns]
        rows = np.flatnonzero(holes[:, positions].any(axis=1))
        cells = []
        if len(rows):
            key = keys.derive(seed, keys.Purpose.IMPUTE, number)
            full = completer(self.params, key, z[rows], ids=ids[rows])
            for index, column in enumerate(columns):
                own = holes[rows, column.position]
                whole = column.rounds_means(frame)
                values = self.codec.decode(index, full[own], whole)
                cells.append((column, rows[own], values))
        return fill_frame(frame, cells)


def _complete(
    denoiser: GaussianDenoiser, completer: RepaintCompleter, params: Params,
    row_keys: RowKeys, rows: Array,
) -> Array:  # fmt: skip
    program, denoise = completer.program(initial=False), bind(denoiser, params)
    return completer.draw(program, (), denoise, rows, rows, row_keys)
