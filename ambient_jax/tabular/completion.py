"""What a fitted table model makes of a frame: completions, new rows and scores."""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from ambient_jax import keys
from ambient_jax.networks.context import CONTEXT_PER_COLUMN
from ambient_jax.tabular import predictive
from ambient_jax.tabular.calibration import Calibration
from ambient_jax.tabular.columns.codec import Encoded, TableCodec
from ambient_jax.tabular.columns.column import fill_frame
from ambient_jax.tabular.columns.prediction import Prediction
from ambient_jax.tabular.drawing import cells_of, central_numbers, drawn_numbers
from ambient_jax.tabular.frames.kinds import holes_of
from ambient_jax.tabular.frames.schema import Field
from ambient_jax.tabular.joint import central_draws
from ambient_jax.tabular.model import ROWS_AT_ONCE, TableModel

GENERATION_DRAW = 2**31 - 1
"""Draw index of generated rows. Imputations of one seed have the indices 0, 1, ...;
the largest one keeps the random keys of generation apart from theirs."""

Cells = dict[int, list[tuple[np.ndarray, np.ndarray]]]
"""Imputed cells by the column's index: parts `(rows [n], values [n])`."""


class Completion:
    """A frame, its missing cells, and what a model predicts of them.

    Observed cells are never changed. An `index` is that of a column in the codec, which
    has no columns without tokens.

    Args:
      codec: the fitted codec.
      model: the fitted model; None if the codec has no column to learn from.
      frame: the rows to complete, with the columns of `fit`.
      shifts: added to imputed numbers, by the column's position in the frame.
    """

    def __init__(
        self, codec: TableCodec, model: TableModel | None, frame: pd.DataFrame,
        shifts: dict[int, float],
    ):  # fmt: skip
        self.codec, self.model, self.frame = codec, model, frame
        self.holes = holes_of(frame)
        self._shifts = shifts
        self._encoded = codec.encode(frame)

    @cached_property
    def rows(self) -> np.ndarray:
        """Positions of the rows with a missing cell that the model can impute."""
        return np.flatnonzero(self._missing.any(axis=1))

    def shift(self, index: int) -> float:
        """What is added to the imputed numbers of a column; 0 by default."""
        return self._shifts.get(self.codec.columns[index].position, 0.0)

    @cached_property
    def _missing(self) -> np.ndarray:
        """`[N, L]` bool: the cells of columns in the codec that are missing."""
        return self.holes[:, [column.position for column in self.codec.columns]]

    def predictions(
        self, rows: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray, Prediction]]:
        """Yields what is predicted of the missing cells of rows, in parts.

        Args:
          rows: positions of rows, some or all of `self.rows`.

        Yields:
          See `TableModel.predictions`.
        """
        if self.model is not None:
            yield from self.model.predictions(self._encoded, rows, self._missing)

    def point_estimates(
        self, statistic: predictive.Statistic | Literal["joint"], seed: int
    ) -> pd.DataFrame:
        """The frame with one value in each missing cell.

        It is the `statistic` of the cell's own distribution or, if that is "joint", the
        value of the most central of several draws of the row, made with `seed`.
        """
        if statistic == "joint":
            return self._joint_estimates(seed)
        return self._filled(self._marginal_cells(statistic, self.rows))

    def _joint_estimates(self, seed: int) -> pd.DataFrame:
        """The frame with the most central of several joint draws in each row.

        In place of a value drawn inside a bin it has the centre of the bin. A row with
        one missing cell gets what the most central draw tends to if there are more and
        more draws: the median, or the most probable category.
        """
        several = self._missing.sum(axis=1) > 1
        cells = self._marginal_cells("median", self.rows[~several[self.rows]])
        rows = np.flatnonzero(several)
        if self.model is None or len(rows) == 0:
            return self._filled(cells)
        encoded, missing = self._encoded.take(rows), self._missing[rows]
        tokens = central_draws(
            self.model, encoded.tokens, encoded.context, missing, seed
        )
        numbers = central_numbers(self.model, encoded, tokens, missing)
        for index, part in self._cells(rows, tokens, numbers).items():
            cells.setdefault(index, []).extend(part)
        return self._filled(cells)

    def _marginal_cells(
        self, statistic: predictive.Statistic, rows: np.ndarray
    ) -> Cells:
        """The `statistic` of the distribution of each missing cell of rows."""
        cells: Cells = {}
        for index, part, prediction in self.predictions(rows):
            values = predictive.point_estimates(
                self.codec.columns[index], prediction, statistic, self.shift(index),
                self.codec.columns[index].rounds_means(self.frame),
            )  # fmt: skip
            cells.setdefault(index, []).append((part, values))
        return cells

    def distributions(
        self, quantiles: tuple[float, ...], calibration: Calibration
    ) -> pd.DataFrame:
        """One line per missing cell; see `AmbientImputer.predict_distribution`."""
        columns, parts = self.codec.columns, []
        for index, rows, prediction in self.predictions(self.rows):
            levels = {q: calibration.quantile_level(index, q) for q in quantiles}
            part = predictive.distributions(
                columns[index], prediction, levels, self.shift(index)
            )
            own = columns[index]
            part.insert(0, "row", self.frame.index[rows])
            part.insert(1, "row_position", rows)
            part.insert(2, "column", pd.Series([own.name] * len(rows), dtype=object))
            part.insert(3, "column_position", own.position)
            parts.append(part.astype(object))
        names = ["row", "row_position", "column", "column_position", "mode", "mean",
                 "sd", *(f"q{q:g}" for q in quantiles), "probabilities"]  # fmt: skip
        if not parts:
            return pd.DataFrame(columns=names)
        joined = pd.concat(parts, ignore_index=True)
        return joined.loc[:, names].infer_objects()

    def draws(self, seed: int, count: int) -> Iterator[pd.DataFrame]:
        """Yields the frame with draws from the joint posterior in its missing cells.

        Draw 0, 1, ... of the same frame and seed are the same in every call. Several
        are made at once, as many as memory allows.
        """
        rows, encoded = self.rows, self._encoded
        if self.model is None or len(rows) == 0:
            yield from (self._filled({}) for _ in range(count))
            return
        at_once = max(1, ROWS_AT_ONCE // len(rows))
        for begin in range(0, count, at_once):
            numbers = range(begin, min(begin + at_once, count))
            tokens = self.model.draws(
                encoded.tokens[rows], encoded.context[rows], seed, numbers
            )
            for number, own in zip(numbers, tokens):
                yield self._filled(self._drawn_cells(seed, number, own))

    def _drawn_cells(self, seed: int, number: int, tokens: np.ndarray) -> Cells:
        """The cells of the drawn tokens `[n, L]` of `self.rows`."""
        assert self.model is not None
        numbers = drawn_numbers(
            self.model, self._encoded.take(self.rows), tokens,
            self._missing[self.rows],
            keys.host_rng(seed, keys.Purpose.IMPUTE, number),
        )  # fmt: skip
        return self._cells(self.rows, tokens, numbers)

    def _cells(
        self, rows: np.ndarray, tokens: np.ndarray, numbers: np.ndarray
    ) -> Cells:
        """The missing cells of rows `[n]`, of their tokens and numbers `[n, L]`."""
        cells: Cells = {}
        for index, column in enumerate(self.codec.columns):
            own = self._missing[rows, index]
            values = cells_of(
                column, tokens[own, index], numbers[own, index], self.shift(index)
            )
            cells[index] = [(rows[own], values)]
        return cells

    def _filled(self, cells: Cells) -> pd.DataFrame:
        """A copy of the frame with values in some of its cells."""
        filled = []
        for index, parts in cells.items():
            rows, values = map(np.concatenate, zip(*parts))
            filled.append((self.codec.columns[index], rows, values))
        return fill_frame(self.frame, filled)


def generate_rows(
    codec: TableCodec, model: TableModel | None, schema: tuple[Field, ...], count: int,
    seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Draws `count` new rows with the names and dtypes of `schema`.

    The cells of columns that are not in the codec are missing.
    """
    values: dict[int, np.ndarray] = {}
    if model is not None:
        tokens = np.full((count, codec.length), codec.num_values, np.int32)
        context = np.zeros((count, CONTEXT_PER_COLUMN * codec.length), np.float32)
        drawn = model.draws(tokens, context, seed, [GENERATION_DRAW])[0]
        nothing = Encoded(
            tokens=tokens, context=context, values=np.full(tokens.shape, np.nan)
        )
        numbers = drawn_numbers(
            model, nothing, drawn, np.ones(drawn.shape, bool),
            keys.host_rng(seed, keys.Purpose.SAMPLE),
        )  # fmt: skip
        for i, column in enumerate(codec.columns):
            values[column.position] = cells_of(column, drawn[:, i], numbers[:, i], 0.0)
    columns = {column.position: column for column in codec.columns}
    series = [
        field.missing_cells(count) if i not in values
        else columns[i].filled(field.cells_to_fill(count), np.arange(count), values[i])
        for i, field in enumerate(schema)
    ]  # fmt: skip
    out = pd.concat(series, axis=1)
    out.columns = pd.Index([field.name for field in schema])
    return out
