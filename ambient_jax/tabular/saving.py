"""A fitted imputer in a folder: `model.json` and `model.npz`. No pickles."""

import dataclasses
import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ambient_jax.files import digest, write_json, write_npz
from ambient_jax.nesting import flatten, nest
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
from ambient_jax.tabular.frames.schema import Field
from ambient_jax.tabular.linear.regression import Regression
from ambient_jax.tabular.model import TableModel

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

FEATURES = ("categorical_features", "numeric_features")
"""Parameters of the imputer that name columns."""

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
    """Writes both files, each whole or not at all; `model.json` comes last.

    It names the digest of `model.npz`, so that a kill between the two is noticed.
    """
    params = imputer.get_params(deep=False)
    params["recipe"] = params["recipe"] and dataclasses.asdict(params["recipe"])
    params["random_state"] = params["checkpoint_dir"] = None
    for features in FEATURES:
        params[features] = [json_cells.to_json(name) for name in params[features]]
    markers = params["missing_markers"]
    params["missing_markers"] = None if markers is None else list(markers)
    params["delta"] = params["delta"] and [
        [json_cells.to_json(name), shift] for name, shift in params["delta"].items()
    ]
    model, calibration = imputer.model_, imputer.calibration_
    network, factors = (None, None) if model is None else settings_of(model.denoiser)
    names = getattr(imputer, "feature_names_in_", None)
    fields = {
        "format": "ambient_jax.AmbientImputer", "version": VERSION, "params": params,
        "codec": imputer.codec_.to_json(),
        "schema": [field.to_json() for field in imputer.schema_],
        "network": network,
        "history": imputer.history_, "seconds": imputer.seconds_,
        "seed": imputer.seed_, "holes_in_fit": imputer.holes_in_fit_.tolist(),
        "n_features_in": imputer.n_features_in_,
        "missing_markers": list(imputer.missing_markers_.items()),
        "feature_names_in": None if names is None else list(names),
    }  # fmt: skip
    arrays = {"calibration/pooled": calibration.pooled}
    for i, scores in enumerate(calibration.scores):
        arrays[f"calibration/{i}"] = scores
    if model is not None:
        flat = flatten(tree_of_params(model.denoiser, model.params), "/")
        arrays |= {f"params/{k}": np.asarray(v) for k, v in flat.items()}
    if model is not None and model.regression is not None:
        arrays |= {f"{REGRESSION_PREFIX}{k}": v
                   for k, v in model.regression.to_arrays().items()}  # fmt: skip
    if factors is not None:
        arrays |= {f"factors/{k}": v for k, v in vars(factors).items()}
    json.dumps(fields, default=_plain)  # refuses before anything is written
    folder.mkdir(parents=True, exist_ok=True)
    write_npz(folder / "model.npz", arrays)
    fields["npz_sha256"] = digest((folder / "model.npz").read_bytes())
    write_json(folder / "model.json", json.loads(json.dumps(fields, default=_plain)))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a {type(value).__name__} cannot be saved: {value!r}")


def load(cls: type, folder: Path) -> Any:
    """An imputer as it was saved; a `random_state` of the same seed."""
    try:
        fields = json.loads((folder / "model.json").read_text())
        if fields.get("format") != "ambient_jax.AmbientImputer":
            raise ValueError("another format")
        if fields["version"] > VERSION:
            raise ValueError(f"version {fields['version']} is newer than this package")
        data = (folder / "model.npz").read_bytes()
        if fields["npz_sha256"] != digest(data):
            raise ValueError("model.npz is not the one that model.json was saved with")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        imputer = _restore(cls, fields, arrays)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{folder} holds no saved AmbientImputer ({Path(error.filename).name} is "
            "missing)"
        ) from error
    except NotADirectoryError as error:
        raise FileNotFoundError(f"{folder} is not a folder") from error
    except Exception as error:  # a torn file fails in zip, JSON, NumPy, or a key
        raise ValueError(
            f"{folder} holds a damaged or foreign model ({error})"
        ) from error
    if _under(EXTRAPOLATION_PREFIX, arrays):
        warnings.warn(
            f"{folder} holds a tail extrapolation, which is no longer applied: "
            "numbers are imputed within the observed range, and the intervals are "
            "still those that were calibrated with it. Fit the model again",
            UserWarning, stacklevel=3,
        )  # fmt: skip
    return imputer


def _restore(cls: type, fields: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    params = fields["params"]
    params["recipe"] = params["recipe"] and Recipe(**params["recipe"])
    for features in FEATURES:
        names = params.get(features, ())  # up to version 6 there is one of them
        params[features] = [json_cells.from_json(name) for name in names]
    params["delta"] = params["delta"] and {
        json_cells.from_json(name): shift for name, shift in params["delta"]
    }
    imputer = cls(**params)
    codec = TableCodec.from_json(fields["codec"])
    imputer.codec_ = codec
    imputer.schema_ = tuple(Field.from_json(field) for field in fields["schema"])
    if fields["version"] < 5 and any(zone_of(f.dtype) for f in imputer.schema_):
        raise ValueError("it counts dates of a time zone in UTC; fit it again")
    imputer.history_, imputer.seconds_ = fields["history"], fields["seconds"]
    imputer.seed_ = fields["seed"]
    imputer.holes_in_fit_ = np.asarray(fields["holes_in_fit"], int)
    imputer.n_features_in_ = fields["n_features_in"]
    imputer.missing_markers_ = {
        position: tuple(texts) for position, texts in fields.get("missing_markers", ())
    }
    if fields["feature_names_in"] is not None:
        imputer.feature_names_in_ = np.asarray(fields["feature_names_in"], object)
    count = sum(name.startswith("calibration/") for name in arrays) - 1
    imputer.calibration_ = Calibration(
        scores=tuple(arrays[f"calibration/{i}"] for i in range(count)),
        pooled=arrays["calibration/pooled"],
    )
    imputer.model_ = None
    if fields["network"]:
        factors = _under("factors/", arrays)
        if fields["version"] < 6:
            factors = {FACTORS_BEFORE_6.get(k, k): v for k, v in factors.items()}
        settings = {"members": 1, **fields["network"]}
        count = settings["members"]
        if count > 1 and fields["version"] < 4:
            factors = {name: np.stack([v] * count) for name, v in factors.items()}
        network = network_of(codec, Factors(**factors) if factors else None, **settings)
        tree = nest(_under("params/", arrays), "/")
        params = vectors_of_params(network, tree)
        regression = _under(REGRESSION_PREFIX, arrays)
        imputer.model_ = TableModel(
            codec=codec, denoiser=network, params=params,
            regression=Regression.from_arrays(codec, regression) if regression else None
        )  # fmt: skip
    return imputer


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those whose names begin with `prefix`, without it."""
    found = {k: v for k, v in arrays.items() if k.startswith(prefix)}
    return {k.removeprefix(prefix): v for k, v in found.items()}
