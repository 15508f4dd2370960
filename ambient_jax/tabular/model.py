"""A fitted table model: probabilities, joint draws and scores of encoded rows."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from ambient_jax import keys
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.mesh import make_table_mesh, table_batch_size
from ambient_jax.networks.ensemble import Ensemble
from ambient_jax.tabular.columns.codec import Encoded, TableCodec
from ambient_jax.tabular.columns.prediction import Prediction
from ambient_jax.tabular.linear.regression import Regression
from ambient_jax.tabular.predictive import column_probabilities
from ambient_jax.types import Denoiser, Params

MAX_CHUNK_ROWS = 4096
"""Maximum number of rows whose probabilities are in memory at once."""

MAX_CHUNK_PROBABILITIES = 2**26
"""Maximum number of probabilities in memory at once: 256 MiB of float32."""

ROWS_AT_ONCE = 2**16
"""Number of rows, over all draws, that callers of `TableModel.draws` draw at once."""

ColumnPart = tuple[int, np.ndarray, np.ndarray]
"""A column's index, positions of rows `[n]`, and probabilities `[n, K]` of its tokens
in these rows."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TableModel:
    """The codec of a table with a trained network.

    Attributes:
      codec: of the table's columns.
      denoiser, params: the network and its trained parameters, vectors `[P]` or, of an
        ensemble, `[K, P]`.
      regression: predicts some of the numbers together with the network; None: none.
      max_reveals: maximum number of steps of a joint draw. A table with no more columns
        than that is drawn one cell at a time.
      batch_size: rows per call of the network.
    """

    codec: TableCodec
    denoiser: Denoiser
    params: Params
    regression: Regression | None = None
    max_reveals: int = 64
    batch_size: int = dataclasses.field(default_factory=table_batch_size)

    def __getstate__(self) -> dict[str, Any]:
        """Returns what is pickled: no device and no compiled function."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @cached_property
    def functions(self) -> RowFunctions:
        """The row functions of the whole ensemble, for predictions and scores."""
        return RowFunctions(
            self.denoiser, make_table_mesh(), self.batch_size, Sampler(num_reveals=1)
        )

    @cached_property
    def _drawing(self) -> list[tuple[RowFunctions, Params]]:
        """The row functions of each member of the ensemble, and its parameters."""
        networks = [(self.denoiser, self.params)]
        if isinstance(self.denoiser, Ensemble):
            networks = self.denoiser.members(self.params)
        sampler = Sampler(num_reveals=min(self.codec.length, self.max_reveals))
        mesh = make_table_mesh()
        return [(RowFunctions(network, mesh, self.batch_size, sampler), params)
                for network, params in networks]  # fmt: skip

    def probabilities(
        self, encoded: Encoded, rows: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Predicts all tokens of the chosen rows, in one forward pass per row.

        Args:
          encoded: the encoded rows of a frame.
          rows: positions of the chosen ones.

        Yields:
          `(rows [n], p [n, L, V])` for consecutive parts of `rows`, float32.
        """
        key = jax.random.key(0)
        length, num_values = self.codec.length, self.codec.num_values
        chunk = rows_at_once(length, num_values, self.batch_size)
        for begin in range(0, len(rows), chunk):
            chosen = rows[begin : begin + chunk]
            logits = self.functions.logits(
                self.params, key, encoded.tokens[chosen],
                context=encoded.context[chosen],
            )  # fmt: skip
            p = np.exp(logits - logits.max(axis=-1, keepdims=True))
            yield chosen, p / p.sum(axis=-1, keepdims=True)

    def predictions(
        self, encoded: Encoded, rows: np.ndarray, cells: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray, Prediction]]:
        """Predicts cells of the chosen rows, in parts.

        A part holds cells of one column, in some of the rows, so that memory does not
        grow with the table.

        Args:
          encoded: the N encoded rows of a frame.
          rows: positions of the chosen ones.
          cells: `[N, L]` bool, true where a cell is to be predicted; no such cell is
            visible in `encoded`.

        Yields:
          `(index, rows [n], prediction)`: the column, the positions of its rows, and
          the prediction of its cells.
        """
        for part, p in self.probabilities(encoded, rows):
            parts = self.column_parts(p, cells[part])
            for index, own, prediction in self.mixed(encoded.take(part), parts):
                yield index, part[own], prediction

    def column_parts(self, p: np.ndarray, cells: np.ndarray) -> Iterator[ColumnPart]:
        """Yields the network's probabilities of cells, column by column.

        Args:
          p: `[n, L, V]` as `probabilities` yields them.
          cells: `[n, L]` bool.
        """
        for index, column in enumerate(self.codec.columns):
            rows = np.flatnonzero(cells[:, index])
            if len(rows):
                yield index, rows, column_probabilities(p[rows, index], column)

    def mixed(
        self, encoded: Encoded, parts: Iterable[ColumnPart]
    ) -> Iterator[tuple[int, np.ndarray, Prediction]]:
        """Yields the predictions of cells, mixed with those of the regression.

        Args:
          encoded: the n rows in which the cells are hidden.
          parts: the network's probabilities of these cells, see `column_parts`.
        """
        mixing, mean, sd = {}, np.zeros(0), np.zeros(0)
        if self.regression is not None:
            mixing = {own.column: own for own in self.regression.mixing}
            mean, sd = self.regression.moments(encoded)
        for index, rows, p in parts:
            normal = weight = None
            if index in mixing:
                assert self.regression is not None
                normal, weight = self.regression.mixture(
                    mixing[index], mean[rows], sd[rows]
                )
            coder = self.codec.columns[index].coder
            mixture = Prediction(coder=coder, p=p, normal=normal, weight=weight)
            yield index, rows, mixture

    def draws(
        self, tokens: np.ndarray, context: np.ndarray, seed: int,
        numbers: Sequence[int], ids: np.ndarray | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Draws all masked tokens of each row jointly and m times, given the visible.

        Each is made by one member of an ensemble, which members take in turn: a draw of
        the mixture of their joint distributions, at the cost of a single network. A
        row's draws do not depend on what is missing in the other rows. Rows with as
        many masked tokens share a batch, which takes as many steps.

        Args:
          tokens: `[N, L]`, MASK where a token is to be drawn.
          context: `[N, F]` as in `Encoded`.
          seed: root of the randomness.
          numbers: m different integers. A draw is a function of the seed, its number
            and the row with its id.
          ids: `[N]` integers that tell rows apart; None: their positions.

        Returns:
          `[m, N, L]` without MASK; visible tokens are as they were.
        """
        count, ids = len(numbers), np.arange(len(tokens)) if ids is None else ids
        key = keys.derive(seed, keys.Purpose.IMPUTE)
        number = np.repeat(np.asarray(numbers, np.uint32), len(tokens))
        z, context, ids = (np.concatenate([part] * count)
                           for part in (tokens, context, ids))  # fmt: skip
        drawn, networks = z.copy(), self._drawing
        member = (ids.astype(np.int64) + number) % len(networks)
        by_masked = np.argsort((z == self.codec.num_values).sum(axis=1), kind="stable")
        for k, (functions, params) in enumerate(networks):
            own = by_masked[member[by_masked] == k]
            if len(own):
                drawn[own] = functions.numbered_draw(
                    params, key, z[own], number[own], context=context[own], ids=ids[own]
                )
        return drawn.reshape(count, *tokens.shape)


def rows_at_once(length: int, num_values: int, batch_size: int) -> int:
    """How many rows' probabilities `[n, L, V]` to hold at once: whole batches."""
    affordable = MAX_CHUNK_PROBABILITIES // max(1, length * num_values)
    return max(1, min(MAX_CHUNK_ROWS, affordable) // batch_size) * batch_size
