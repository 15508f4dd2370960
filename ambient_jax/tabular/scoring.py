"""Log-density of the observed part of rows."""

import numpy as np
import pandas as pd

from ambient_jax.tabular.columns.category import CategoryColumn
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.model import TableModel


def score(
    codec: TableCodec, model: TableModel | None, frame: pd.DataFrame
) -> np.ndarray:
    """`log p(observed cells)` `[N]` in nats; see `AmbientImputer.score_samples`."""
    encoded = codec.encode(frame)
    total = np.zeros(len(frame))
    for i, column in enumerate(codec.columns):
        if isinstance(column.coder, CategoryColumn):
            seen = frame.iloc[:, column.position].notna().to_numpy()
            unseen = seen & (encoded.tokens[:, i] == codec.num_values)
            total[unseen] -= np.log(column.coder.count + 2.0)
    if model is not None:
        total += model.log_probability(encoded) + model.log_density_inside(encoded)
    return total
