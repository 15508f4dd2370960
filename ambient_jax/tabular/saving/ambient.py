"""A fitted `AmbientImputer` in a folder, see `archive`."""

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ambient_jax.nesting import nest
from ambient_jax.networks.factors import Factors
from ambient_jax.tabular.calibration import Calibration
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.fitting.network import (
    network_of,
    settings_of,
    tree_of_params,
    vectors_of_params,
)
from ambient_jax.tabular.fitting.recipe import Recipe
from ambient_jax.tabular.frames import json_cells
from ambient_jax.tabular.frames.kinds import zone_of
from ambient_jax.tabular.linear.regression import Regression
from ambient_jax.tabular.model import TableModel
from ambient_jax.tabular.saving import archive

VERSION = 8
"""Version of the format that `save` writes. `load` also reads older ones, in which

- up to 2, a model is a single network, and its settings have no `members`;
- up to 3, the members of an ensemble share one set of `factors`;
- up to 4, columns have no `objects`, and categories and names are text, numbers or
  booleans; dates with a time zone are counted in UTC, and such a model is refused;
- in 4 and 5, arrays named `reach/...` may hold a tail extrapolation, which this version
  does not have; they are ignored, with a warning;
- up to 5, the arrays of `factors` have other names;
- up to 6, the number of values is that of the largest vocabulary, the point estimate of
  all numbers is the mean, and no text means missing;
- up to 7, no number is predicted by a regression.
"""

EXTRAPOLATION_PREFIX = "reach/"
"""Prefix of the arrays of a tail extrapolation, see `VERSION`."""

REGRESSION_PREFIX = "regression/"
"""Prefix of the arrays of a `Regression`."""

FACTORS_BEFORE_6 = {
    "weight": "number_evidence", "gram": "precision", "pull": "category_evidence",
    "tilt": "share_slope", "edges": "bin_edges", "trust": "mixture_weight",
}  # fmt: skip
"""Names of the arrays of `Factors` before version 6, and what they are called now."""


def save(imputer: Any, folder: Path) -> None:
    """Writes both files; see `archive.write`."""
    params = archive.params_of(imputer) | {"checkpoint_dir": None}
    params["recipe"] = params["recipe"] and dataclasses.asdict(params["recipe"])
    params["delta"] = params["delta"] and [
        [json_cells.to_json(name), shift] for name, shift in params["delta"].items()
    ]
    model, calibration = imputer.model_, imputer.calibration_
    network, factors = (None, None) if model is None else settings_of(model.denoiser)
    fields = {
        "format": archive.format_of("AmbientImputer"), "version": VERSION,
        "params": params, **archive.fields_of(imputer), "network": network,
    }  # fmt: skip
    arrays = {"calibration/pooled": calibration.pooled}
    for i, scores in enumerate(calibration.scores):
        arrays[f"calibration/{i}"] = scores
    if model is not None:
        arrays |= archive.arrays_of_params(tree_of_params(model.denoiser, model.params))
    if model is not None and model.regression is not None:
        arrays |= {f"{REGRESSION_PREFIX}{k}": v
                   for k, v in model.regression.to_arrays().items()}  # fmt: skip
    if factors is not None:
        arrays |= {f"factors/{k}": v for k, v in vars(factors).items()}
    archive.write(folder, fields, arrays)


def load(cls: type, folder: Path) -> Any:
    """Returns an imputer as it was saved; see `archive.read`."""
    extrapolates = False

    def restore(fields: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
        nonlocal extrapolates
        extrapolates = bool(archive.under(EXTRAPOLATION_PREFIX, arrays))
        return _restore(cls, fields, arrays)

    imputer = archive.read(folder, "AmbientImputer", VERSION, restore)
    if extrapolates:
        warnings.warn(
            f"{folder} holds a tail extrapolation, which is no longer applied: "
            "numbers are imputed within the observed range, and the intervals are "
            "still those that were calibrated with it. Fit the model again",
            UserWarning, stacklevel=3,
        )  # fmt: skip
    return imputer


def _restore(cls: type, fields: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    params = archive.restored_params(fields["params"])
    params["recipe"] = params["recipe"] and Recipe(**params["recipe"])
    params["delta"] = params["delta"] and {
        json_cells.from_json(name): shift for name, shift in params["delta"]
    }
    imputer = cls(**params)
    archive.restore_fields(imputer, fields)
    if fields["version"] < 5 and any(zone_of(f.dtype) for f in imputer.schema_):
        raise ValueError("it counts dates of a time zone in UTC; fit it again")
    count = sum(name.startswith("calibration/") for name in arrays) - 1
    imputer.calibration_ = Calibration(
        scores=tuple(arrays[f"calibration/{i}"] for i in range(count)),
        pooled=arrays["calibration/pooled"],
    )
    imputer.model_ = None
    if fields["network"]:
        imputer.model_ = _model(imputer.codec_, fields, arrays)
    return imputer


def _model(
    codec: TableCodec, fields: dict[str, Any], arrays: dict[str, np.ndarray]
) -> TableModel:
    factors = archive.under("factors/", arrays)
    if fields["version"] < 6:
        factors = {FACTORS_BEFORE_6.get(k, k): v for k, v in factors.items()}
    settings = {"members": 1, **fields["network"]}
    count = settings["members"]
    if count > 1 and fields["version"] < 4:
        factors = {name: np.stack([v] * count) for name, v in factors.items()}
    network = network_of(codec, Factors(**factors) if factors else None, **settings)
    tree = nest(archive.under(archive.PARAMS_PREFIX, arrays), "/")
    regression = archive.under(REGRESSION_PREFIX, arrays)
    return TableModel(
        codec=codec, denoiser=network, params=vectors_of_params(network, tree),
        regression=Regression.from_arrays(codec, regression) if regression else None,
    )  # fmt: skip
