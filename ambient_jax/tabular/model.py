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
from ambient_jax.mesh import make_table_mesh
from ambient_jax.tabular.columns.codec import Encoded, TableCodec
from ambient_jax.tabular.columns.density import log_density
from ambient_jax.tabular.columns.number import NumberColumn
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

MAX_CHAIN_LENGTH = 40
"""Rows of at most this many tokens are scored by the chain rule, which takes one call
of the network per token. Longer rows are scored by the ELBO, in ten calls."""

NUM_ORDERS = 2
"""How many random orders of the chain rule, or repeats of the ELBO, a score is the mean
of. More would lower its variance, and cost as much again."""


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
    batch_size: int = 512

    def __getstate__(self) -> dict[str, Any]:
        """Returns what is pickled: no device and no compiled function."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @cached_property
    def _functions_by_reveals(self) -> dict[int, RowFunctions]:
        return {}

    def functions(self, reveals: int = 1) -> RowFunctions:
        """The network's row functions, whose sampler takes `reveals` steps."""
        if reveals not in self._functions_by_reveals:
            self._functions_by_reveals[reveals] = RowFunctions(
                self.denoiser, make_table_mesh(), self.batch_size,
                Sampler(num_reveals=reveals),
            )  # fmt: skip
        return self._functions_by_reveals[reveals]

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
            logits = self.functions().logits(
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
            yield (
                index,
                rows,
                Prediction(coder=coder, p=p, normal=normal, weight=weight),
            )

    def draws(
        self, tokens: np.ndarray, context: np.ndarray, seed: int,
        numbers: Sequence[int], ids: np.ndarray | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Draws all masked tokens of each row jointly and m times, given the visible.

        The number of reverse steps depends on the number of columns alone, so that a
        row's draws do not depend on what is missing in the other rows.

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
        drawn = self.functions(min(self.codec.length, self.max_reveals)).numbered_draw(
            self.params, keys.derive(seed, keys.Purpose.IMPUTE),
            np.tile(tokens, (count, 1)),
            np.repeat(np.asarray(numbers, np.uint32), len(tokens)),
            context=np.tile(context, (count, 1)), ids=np.tile(ids, count),
        )  # fmt: skip
        return np.asarray(drawn).reshape(count, *tokens.shape)

    def log_density(self, encoded: Encoded) -> np.ndarray:
        """Log densities `[N]` of the observed cells of rows, in nats.

        The tokens that no regression predicts come first, in random orders, then the
        numbers inside their bins, then the other columns one after another.
        """
        last = [] if self.regression is None else self.regression.columns
        mask = self.codec.num_values
        tokens, values = encoded.tokens.copy(), encoded.values.copy()
        tokens[:, last], values[:, last] = mask, np.nan
        shown = dataclasses.replace(encoded, tokens=tokens, values=values)
        total = self._log_probability(shown) + self._log_density_inside(shown)
        rows = np.arange(len(tokens))
        for index in last:
            cells = np.zeros(tokens.shape, bool)
            cells[:, index] = encoded.tokens[:, index] != mask
            for _, own, prediction in self.predictions(shown, rows, cells):
                total[own] += prediction.log_density(encoded.values[own, index])
            tokens[:, index] = encoded.tokens[:, index]
            values[:, index] = encoded.values[:, index]
        return total

    def _log_probability(self, encoded: Encoded) -> np.ndarray:
        """`log p(observed tokens)` `[N]` in nats, the mean over `NUM_ORDERS` orders.

        All rows have the same orders, so that a row's score depends on the row alone.
        """
        tokens = encoded.tokens
        scored = tokens != self.codec.num_values
        same = np.zeros(len(tokens), np.int64)
        functions, total = self.functions(), np.zeros(len(tokens))
        exact = self.codec.length <= MAX_CHAIN_LENGTH
        score = functions.chain_rule if exact else functions.elbo
        for order in range(NUM_ORDERS):
            nats = score(
                self.params, jax.random.key(order), tokens, scored,
                context=encoded.context, ids=same,
            )  # fmt: skip
            total -= nats if exact else nats.mean(axis=1)
        return total / NUM_ORDERS

    def _log_density_inside(self, encoded: Encoded) -> np.ndarray:
        """`log p(value | token)` `[N]`, summed over the observed numbers of a row."""
        total = np.zeros(len(encoded.tokens))
        for i, column in enumerate(self.codec.columns):
            if isinstance(column.coder, NumberColumn):
                known = np.isfinite(encoded.values[:, i])
                total[known] += log_density(
                    column.coder, encoded.values[known, i],
                    encoded.tokens[known, i].astype(int),
                )  # fmt: skip
        return total


def rows_at_once(length: int, num_values: int, batch_size: int) -> int:
    """How many rows' probabilities `[n, L, V]` to hold at once: whole batches."""
    affordable = MAX_CHUNK_PROBABILITIES // max(1, length * num_values)
    return max(1, min(MAX_CHUNK_ROWS, affordable) // batch_size) * batch_size
