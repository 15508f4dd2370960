"""A fitted table model: probabilities, joint draws and scores of encoded rows."""

import dataclasses
from collections.abc import Iterator, Sequence
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
from ambient_jax.tabular.columns.number import NumberColumn
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


@dataclass(frozen=True, eq=False, kw_only=True)
class TableModel:
    """The codec of a table with a trained network.

    Attributes:
      codec: of the table's columns.
      denoiser, params: the network and its trained parameters, vectors `[P]` or, of an
        ensemble, `[K, P]`.
      max_reveals: maximum number of steps of a joint draw. A table with no more columns
        than that is drawn one cell at a time.
      batch_size: rows per call of the network.
    """

    codec: TableCodec
    denoiser: Denoiser
    params: Params
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

    def log_probability(self, encoded: Encoded) -> np.ndarray:
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

    def log_density_inside(self, encoded: Encoded) -> np.ndarray:
        """`log p(value | token)` `[N]`, summed over the observed numbers of a row."""
        total = np.zeros(len(encoded.tokens))
        for i, column in enumerate(self.codec.columns):
            if isinstance(column.coder, NumberColumn):
                known = np.isfinite(encoded.values[:, i])
                total[known] += column.coder.log_density(
                    encoded.values[known, i], encoded.tokens[known, i].astype(int)
                )
        return total


def rows_at_once(length: int, num_values: int, batch_size: int) -> int:
    """How many rows' probabilities `[n, L, V]` to hold at once: whole batches."""
    affordable = MAX_CHUNK_PROBABILITIES // max(1, length * num_values)
    return max(1, min(MAX_CHUNK_ROWS, affordable) // batch_size) * batch_size
