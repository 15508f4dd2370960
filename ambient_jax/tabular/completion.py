"""What a fitted table model makes of a frame: completions, new rows and scores."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pandas as pd

from ambient_jax import keys
from ambient_jax.networks.column_network import CONTEXT_PER_COLUMN
from ambient_jax.tabular import predictive
from ambient_jax.tabular.calibration import Calibration
from ambient_jax.tabular.columns.category import CategoryColumn
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.frames.kinds import holes_of
from ambient_jax.tabular.frames.schema import Field
from ambient_jax.tabular.model import TableModel

GENERATION_DRAW = 2**31 - 1
"""Draw index of generated rows. Imputations of one seed have the indices 0, 1, ...;
the largest one keeps the random keys of generation apart from theirs."""


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
        positions = [column.position for column in self.codec.columns]
        return np.flatnonzero(self.holes[:, positions].any(axis=1))

    def shift(self, index: int) -> float:
        """What is added to the imputed numbers of a column; 0 by default."""
        return self._shifts.get(self.codec.columns[index].position, 0.0)

    def rounds_means(self, index: int) -> bool:
        """Whether the column cannot hold a mean with more decimals than its values."""
        column = self.codec.columns[index]
        dtype = self.frame.dtypes.iloc[column.position]
        return column.kind != "number" or not pd.api.types.is_float_dtype(dtype)

    def predictions(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yields the predicted probabilities of all missing cells, in parts.

        A part holds missing cells of one column, in some of the rows, so that memory
        does not grow with the table.

        Yields:
          `(index, rows [n], p [n, K])`: the column, the positions of its rows, and the
          probabilities of its tokens.
        """
        if self.model is None:
            return
        for rows, p in self.model.probabilities(self._encoded, self.rows):
            for index, column in enumerate(self.codec.columns):
                hole = self.holes[rows, column.position]
                if hole.any():
                    own = predictive.column_probabilities(p[hole, index], column)
                    yield index, rows[hole], own

    def point_estimates(self, statistic: predictive.Statistic) -> pd.DataFrame:
        """The frame with the `statistic` of its distribution in each missing cell."""
        parts: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        for index, rows, p in self.predictions():
            values = predictive.point_estimates(
                self.codec.columns[index], p, statistic, self.shift(index),
                self.rounds_means(index),
            )  # fmt: skip
            parts.setdefault(index, []).append((rows, values))
        return self._filled({
            index: (np.concatenate([rows for rows, _ in column]),
                    np.concatenate([values for _, values in column]))
            for index, column in parts.items()
        })  # fmt: skip

    def distributions(
        self, quantiles: tuple[float, ...], calibration: Calibration
    ) -> pd.DataFrame:
        """One line per missing cell; see `AmbientImputer.predict_distribution`."""
        columns, parts = self.codec.columns, []
        for index, rows, p in self.predictions():
            levels = {q: calibration.quantile_level(index, q) for q in quantiles}
            part = predictive.distributions(
                columns[index], p, levels, self.shift(index)
            )
            part.insert(0, "row", self.frame.index[rows])
            part.insert(1, "column", [columns[index].name] * len(rows))
            parts.append(part.astype(object))
        names = ["row", "column", "mode", "mean", "sd",
                 *(f"q{q:g}" for q in quantiles), "probabilities"]  # fmt: skip
        if not parts:
            return pd.DataFrame(columns=names)
        joined = pd.concat(parts, ignore_index=True)
        return joined.loc[:, names].infer_objects()

    def draw(self, seed: int, draw_index: int) -> pd.DataFrame:
        """The frame with a draw from the joint posterior in its missing cells.

        Draw 0, 1, ... of the same frame and seed are the same in every call.
        """
        if self.model is None or len(self.rows) == 0:
            return self._filled({})
        rows, encoded = self.rows, self._encoded
        tokens = np.array(
            self.model.draw(
                encoded.tokens[rows], encoded.context[rows], seed, draw_index
            )
        )
        rng = keys.host_rng(seed, keys.Purpose.IMPUTE, draw_index)
        uniforms = rng.random(tokens.shape)
        cells = {}
        for index, column in enumerate(self.codec.columns):
            hole = self.holes[rows, column.position]
            values = predictive.values_of_tokens(
                column, tokens[hole, index], uniforms[hole, index], self.shift(index),
            )  # fmt: skip
            cells[index] = (rows[hole], values)
        return self._filled(cells)

    def _filled(self, cells: dict[int, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
        """A copy of the frame with `{index: (rows [n], values [n])}` in its cells."""
        series = [self.frame.iloc[:, i] for i in range(self.frame.shape[1])]
        for index, (rows, values) in cells.items():
            column = self.codec.columns[index]
            at = column.position
            series[at] = column.filled(series[at], rows, values)
        out = pd.concat(series, axis=1)
        out.columns = self.frame.columns
        return out


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
        drawn = model.draw(tokens, context, seed, GENERATION_DRAW)
        uniforms = keys.host_rng(seed, keys.Purpose.SAMPLE).random(drawn.shape)
        for i, column in enumerate(codec.columns):
            values[column.position] = predictive.values_of_tokens(
                column, drawn[:, i], uniforms[:, i], 0.0
            )
    columns = {column.position: column for column in codec.columns}
    series = [
        field.missing_cells(count) if i not in values
        else columns[i].filled(field.cells_to_fill(count), np.arange(count), values[i])
        for i, field in enumerate(schema)
    ]  # fmt: skip
    out = pd.concat(series, axis=1)
    out.columns = pd.Index([field.name for field in schema])
    return out


def score_rows(
    codec: TableCodec, model: TableModel | None, frame: pd.DataFrame
) -> np.ndarray:
    """`log p(observed cells)` `[N]` in nats; see `AmbientImputer.score_samples`."""
    encoded = codec.encode(frame)
    total = np.zeros(len(frame))
    for i, column in enumerate(codec.columns):
        if isinstance(column.coder, CategoryColumn):
            observed = frame.iloc[:, column.position].notna().to_numpy()
            unseen = observed & (encoded.tokens[:, i] == codec.num_values)
            total[unseen] -= np.log(column.coder.count + 2.0)
    if model is not None:
        total += model.log_probability(encoded) + model.log_density_inside(encoded)
    return total
