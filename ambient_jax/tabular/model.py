"""A fitted table model: probabilities, joint draws and scores of encoded rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import jax
import numpy as np

from ambient_jax import keys
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.mesh import make_table_mesh
from ambient_jax.tabular.columns.codec import Encoded, TableCodec
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.tail_shift import Ends
from ambient_jax.tabular.linear.tail_extrapolation import Reach, Tails
from ambient_jax.types import Denoiser, Params

CHUNK = 4096
"""Most rows whose probabilities are held at once."""

CHUNK_CELLS = 2**26
"""Most of their probabilities: 256 MiB of float32."""

EXACT_LENGTH = 40
"""Rows up to this long are scored by the chain rule, longer ones by levels."""

ORDERS = 2
"""Orders (or repeats of ten levels) that a score is the mean of."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TableModel:
    """Codec, network and parameters.

    Attributes:
      reveals: most steps of a joint draw; a row with no more missing cells than that
        is drawn one cell at a time.
      batch_size: rows per call of the network.
      reach: how the outermost tokens of numbers move; None: they do not.
    """

    codec: TableCodec
    denoiser: Denoiser
    params: Params
    reveals: int = 64
    batch_size: int = 512
    reach: Reach | None = None

    @cached_property
    def _params(self) -> Params:
        return jax.tree.map(jax.numpy.asarray, self.params)

    @cached_property
    def _functions_by_reveals(self) -> dict[int, RowFunctions]:
        return {}

    def functions(self, reveals: int = 1) -> RowFunctions:
        """The network's functions, with a sampler of so many reveals."""
        if reveals not in self._functions_by_reveals:
            self._functions_by_reveals[reveals] = RowFunctions(
                self.denoiser, make_table_mesh(), self.batch_size,
                Sampler(num_reveals=reveals),
            )  # fmt: skip
        return self._functions_by_reveals[reveals]

    def probabilities(
        self, encoded: Encoded, rows: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields `(row numbers [n], p [n, L, V])` of the chosen rows; one pass each."""
        key = jax.random.key(0)
        length, num_values = self.codec.length, self.codec.num_values
        chunk = rows_at_once(length, num_values, self.batch_size)
        for begin in range(0, len(rows), chunk):
            chosen = rows[begin : begin + chunk]
            logits = self.functions().logits(
                self._params, key, encoded.tokens[chosen],
                context=encoded.context[chosen],
            )  # fmt: skip
            p = np.exp(logits - logits.max(axis=-1, keepdims=True))
            yield chosen, p / p.sum(axis=-1, keepdims=True)

    def tails(self, encoded: Encoded, rows: np.ndarray) -> Tails:
        """What becomes of the outermost tokens in the chosen rows, see `Reach`."""
        if self.reach is None:
            shape = (len(rows), self.codec.length, 2)
            none, one = (np.broadcast_to(value, shape) for value in (0.0, 1.0))
            return Tails(ends=Ends(moves=none, stretch=one), least=none)
        return self.reach.tails(self.codec, encoded.tokens[rows], encoded.values[rows])

    def draw(
        self, tokens: np.ndarray, context: np.ndarray, seed: int, number: int
    ) -> np.ndarray:
        """A joint draw `[N, L]` of all masked tokens; the others stay.

        The number of reveals is that of the table's columns, so that a row's draw does
        not depend on how many holes the other rows have.
        """
        reveals = min(self.codec.length, self.reveals)
        key = keys.derive(seed, keys.Purpose.IMPUTE, number)
        return self.functions(reveals).draw(self._params, key, tokens, context=context)

    def log_probability(self, encoded: Encoded) -> np.ndarray:
        """`log p(observed tokens)` `[N]` in nats, the mean over `ORDERS` orders.

        The orders are the same for all rows, so that a row's score depends on the row
        alone.
        """
        tokens = encoded.tokens
        scored = tokens != self.codec.num_values
        same = np.zeros(len(tokens), np.int64)
        functions, total = self.functions(), np.zeros(len(tokens))
        exact = self.codec.length <= EXACT_LENGTH
        score = functions.chain_rule if exact else functions.elbo
        for number in range(ORDERS):
            nats = score(
                self._params, jax.random.key(number), tokens, scored,
                context=encoded.context, ids=same,
            )  # fmt: skip
            total -= nats if exact else nats.mean(axis=1)
        return total / ORDERS

    def log_density_inside(self, encoded: Encoded) -> np.ndarray:
        """`log p(value | token)` `[N]`, summed over the known numbers of a row."""
        total = np.zeros(len(encoded.tokens))
        for i, column in enumerate(self.codec.columns):
            if isinstance(column.coder, NumberColumn):
                known = np.isfinite(encoded.values[:, i])
                total[known] += column.coder.log_density(
                    encoded.values[known, i], encoded.tokens[known, i].astype(int)
                )
        return total


def rows_at_once(length: int, num_values: int, batch_size: int) -> int:
    """Rows whose probabilities `[n, L, V]` are held at once: full batches."""
    fit = CHUNK_CELLS // max(1, length * num_values)
    return max(1, min(CHUNK, fit) // batch_size) * batch_size
