"""What is told of every hole of a table: one line each."""

import pandas as pd

from ambient_jax.tabular import predictive
from ambient_jax.tabular.calibration import Calibration
from ambient_jax.tabular.completion import Completion


def distribution_of(
    done: Completion, quantiles: tuple[float, ...], calibration: Calibration
) -> pd.DataFrame:
    """See `AmbientImputer.predict_distribution`."""
    columns, parts = done.codec.columns, []
    for i, cells, p, ends in done.predictions():
        told = predictive.describe(
            columns[i], i, p, tuple(quantiles), calibration, done.shift(i), ends
        )
        told.insert(0, "row", done.frame.index[cells])
        told.insert(1, "column", [columns[i].name] * len(cells))
        parts.append(told.astype(object))
    names = ["row", "column", "mode", "mean", "sd",
             *(f"q{q:g}" for q in quantiles), "probabilities"]  # fmt: skip
    if not parts:
        return pd.DataFrame(columns=names)
    joined = pd.concat(parts, ignore_index=True)
    return joined.loc[:, names].infer_objects()
