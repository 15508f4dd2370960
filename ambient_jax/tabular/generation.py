"""New rows from a table model."""

import numpy as np
import pandas as pd

from ambient_jax import keys
from ambient_jax.tabular import predictive
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.columns.tail_shift import STILL
from ambient_jax.tabular.frames.schema import Field
from ambient_jax.tabular.model import TableModel


def new_rows(
    codec: TableCodec, model: TableModel | None, schema: tuple[Field, ...], count: int,
    seed: int,
) -> pd.DataFrame:  # fmt: skip
    """`count` rows in the dtypes of `schema`; columns without tokens are missing."""
    values: dict[int, np.ndarray] = {}
    if model is not None:
        tokens = np.full((count, codec.length), codec.num_values, np.int32)
        context = np.zeros((count, 3 * codec.length), np.float32)
        drawn = model.draw(tokens, context, seed, -1 % 2**31)
        uniforms = keys.host_rng(seed, keys.Purpose.SAMPLE).random(drawn.shape)
        for i, column in enumerate(codec.columns):
            values[column.position] = predictive.drawn(
                column, drawn[:, i], uniforms[:, i], 0.0, STILL
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
