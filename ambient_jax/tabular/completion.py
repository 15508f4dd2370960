"""One table on its way to being complete."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pandas as pd

from ambient_jax import keys
from ambient_jax.tabular import predictive
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.tail_shift import Ends
from ambient_jax.tabular.frames.kinds import holes_of, limits_of
from ambient_jax.tabular.linear.tail_extrapolation import Tails
from ambient_jax.tabular.model import TableModel


class Completion:
    """A frame, its holes, and what is put into them. Observed cells are never touched.

    Args:
      codec, model: what was fitted; no model where there is nothing to learn.
      frame: rows to complete.
      shifts: added to imputed numbers, by position in the frame.
    """

    def __init__(
        self, codec: TableCodec, model: TableModel | None, frame: pd.DataFrame,
        shifts: dict[int, float],
    ):  # fmt: skip
        self.codec, self.model, self.frame = codec, model, frame
        self.holes = holes_of(frame)
        self._shifts = shifts
        self._encoded = codec.encode(frame)

    def shift(self, number: int) -> float:
        """What is added to the imputed numbers of the codec's column `number`."""
        return self._shifts.get(self.codec.columns[number].position, 0.0)

    def cells(self, number: int) -> np.ndarray:
        """Row numbers of the holes in the codec's column `number`."""
        return np.flatnonzero(self.holes[:, self.codec.columns[number].position])

    @cached_property
    def rows(self) -> np.ndarray:
        """Row numbers with a hole that the model can fill."""
        positions = [column.position for column in self.codec.columns]
        return np.flatnonzero(self.holes[:, positions].any(axis=1))

    def exact(self, number: int) -> bool:
        """Whether the column's dtype holds a mean that is not rounded."""
        column = self.codec.columns[number]
        dtype = self.frame.dtypes.iloc[column.position]
        return column.kind == "number" and pd.api.types.is_float_dtype(dtype)

    def tails(self, model: TableModel, rows: np.ndarray) -> Tails:
        """Of the outermost tokens of rows, as far as the dtypes hold them."""
        tails = model.tails(self._encoded, rows)
        if model.reach is None:
            return tails
        for i, column in enumerate(self.codec.columns):
            if isinstance(column.coder, NumberColumn) and tails.ends.moves[:, i].any():
                dtype = self.frame.dtypes.iloc[column.position]
                least, most = limits_of(dtype, column.kind, column.unit)
                ends = column.coder.low[0], column.coder.high[-1]
                left = np.array([ends[0] - least, most - ends[1]])
                left += self.shift(i) * np.array([1.0, -1.0])
                tails.ends.keep(i, left, column.coder.gaps)
        return tails

    def predictions(
        self,
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray, Ends]]:
        """Yields `(column number, row numbers [n], p [n, K], ends [n, 2])` of holes.

        In portions of rows, so that memory does not grow with the table.
        """
        if self.model is None:
            return
        for chosen, p in self.model.probabilities(self._encoded, self.rows):
            tails = self.tails(self.model, chosen)
            for number, column in enumerate(self.codec.columns):
                hole = self.holes[chosen, column.position]
                if hole.any():
                    least = tails.least[hole, number]
                    own = predictive.own_probabilities(p[hole, number], column, least)
                    yield number, chosen[hole], own, tails.ends[hole, number]

    def points(self, statistic: predictive.Statistic) -> pd.DataFrame:
        """The frame with one value in each hole."""
        found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        for number, cells, p, ends in self.predictions():
            values = predictive.point(
                self.codec.columns[number], p, statistic, self.shift(number),
                self.exact(number), ends,
            )  # fmt: skip
            found.setdefault(number, []).append((cells, values))
        return self.filled({
            number: (np.concatenate([c for c, _ in parts]),
                     np.concatenate([v for _, v in parts]))
            for number, parts in found.items()
        })  # fmt: skip

    def draw(self, seed: int, number: int) -> pd.DataFrame:
        """The frame with draw `number` of the joint posterior in its holes."""
        if self.model is None or len(self.rows) == 0:
            return self.filled({})
        rows = self.rows
        e = self._encoded
        drawn = self.model.draw(e.tokens[rows], e.context[rows], seed, number)
        tokens = np.array(drawn)
        rng = keys.host_rng(seed, keys.Purpose.IMPUTE, number)
        uniforms = rng.random(tokens.shape)
        tails = self.tails(self.model, rows)
        self._lift(self.model, rows, tokens, tails.least, rng)
        found = {}
        for i, column in enumerate(self.codec.columns):
            hole = self.holes[rows, column.position]
            values = predictive.drawn(
                column, tokens[hole, i], uniforms[hole, i], self.shift(i),
                tails.ends[hole, i],
            )  # fmt: skip
            found[i] = (rows[hole], values)
        return self.filled(found)

    def _lift(self, model, rows, tokens, least, rng):
        """Makes so many drawn tokens `[n, L]` outermost as `least [n, L, 2]` wants.

        One hole is lifted apart from the others of its row, which stay as drawn.
        """
        some = np.flatnonzero(least.any(axis=(1, 2)))
        uniforms = rng.random((len(some), *least.shape[1:]))
        done = 0
        for _, p in model.probabilities(self._encoded, rows[some]):
            part = slice(done, done + len(p))
            at, done = some[part], part.stop
            for i, end in np.argwhere(least[at].any(axis=0)):
                column = self.codec.columns[i]
                own = predictive.own_probabilities(p[:, i], column, np.zeros((1, 2)))
                k = column.coder.size - 1 if end else 0
                share = predictive.lacking(own[:, k], least[at, i, end])
                lifted = self.holes[rows[at], column.position]
                lifted &= uniforms[part, i, end] < share
                tokens[at[lifted], i] = k

    def filled(self, found: dict[int, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
        """A copy of the frame with `{column number: (row numbers, values)}` in it."""
        series = [self.frame.iloc[:, i] for i in range(self.frame.shape[1])]
        for number, (cells, values) in found.items():
            column = self.codec.columns[number]
            at = column.position
            series[at] = column.filled(series[at], cells, values)
        out = pd.concat(series, axis=1)
        out.columns = self.frame.columns
        return out
