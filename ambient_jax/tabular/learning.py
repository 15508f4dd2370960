"""From a frame and its codec to a model of the table, with its calibration."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ambient_jax.tabular.calibration import Calibration, calibrate
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.fitting.fit import fit_network
from ambient_jax.tabular.fitting.held_out import choose_excluded_rows
from ambient_jax.tabular.fitting.recipe import Recipe
from ambient_jax.tabular.held_out_cells import held_out_cells
from ambient_jax.tabular.mixing import with_regression
from ambient_jax.tabular.model import TableModel


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a fit learned.

    Attributes:
      model: None for a table without a column that can be learned.
      calibration: of the model's intervals, by cells that it was not fitted on.
      history: nats per held-out cell, one per evaluation.
      seconds: duration of the training.
    """

    model: TableModel | None
    calibration: Calibration
    history: list[float] = field(default_factory=list)
    seconds: float = 0.0


def learn(
    codec: TableCodec, frame: pd.DataFrame, recipe: Recipe | None, *,
    max_epochs: int | None, max_time: float | None, validation_fraction: float,
    seed: int, verbose: int, checkpoint_dir: Path | None,
) -> Learned:  # fmt: skip
    """Learns from the observed cells of `frame`; see `AmbientImputer` for the rest."""
    if not codec.length:
        return Learned(model=None, calibration=Calibration.fit([]))
    encoded = codec.encode(frame)
    recipe = (recipe or Recipe()).limited(max_epochs, max_time)
    excluded_rows = choose_excluded_rows(
        encoded.tokens, codec.num_values, validation_fraction,
        recipe.ensemble(len(encoded.tokens), codec.length), seed,
    )  # fmt: skip
    fitted = fit_network(
        codec, encoded, excluded_rows, recipe, seed=seed, verbose=verbose,
        checkpoint_dir=checkpoint_dir,
    )  # fmt: skip
    model = TableModel(codec=codec, denoiser=fitted.denoiser, params=fitted.params)
    cells = list(held_out_cells(model, encoded, excluded_rows, seed))
    model = with_regression(model, encoded, excluded_rows, cells)
    return Learned(
        model=model, calibration=calibrate(model, cells), history=fitted.history,
        seconds=fitted.seconds,
    )  # fmt: skip
