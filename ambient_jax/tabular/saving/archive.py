"""Both files of a saved imputer, and what the imputers of every kind have in common."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ambient_jax.files import digest, write_json, write_npz
from ambient_jax.nesting import flatten
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.frames import json_cells
from ambient_jax.tabular.frames.schema import Field
from ambient_jax.types import Params

T = TypeVar("T")

FEATURES = ("categorical_features", "numeric_features")
"""Parameters of an imputer that name columns."""

PARAMS_PREFIX = "params/"
"""Prefix of the arrays of a network's parameters."""


def write(folder: Path, fields: dict[str, Any], arrays: Mapping[str, Any]) -> None:
    """Writes both files, each whole or not at all; `model.json` comes last.

    It names the digest of `model.npz`, so that a kill between the two is noticed.

    Raises:
      TypeError: a value cannot be saved; nothing was written.
    """
    json.dumps(fields, default=_plain)  # refuses before anything is written
    folder.mkdir(parents=True, exist_ok=True)
    write_npz(folder / "model.npz", arrays)
    fields = fields | {"npz_sha256": digest((folder / "model.npz").read_bytes())}
    write_json(folder / "model.json", json.loads(json.dumps(fields, default=_plain)))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a {type(value).__name__} cannot be saved: {value!r}")


def read(
    folder: Path, kind: str, version: int,
    restore: Callable[[dict[str, Any], dict[str, np.ndarray]], T],
) -> T:  # fmt: skip
    """Reads both files and returns what `restore` makes of them.

    Args:
      folder: as `write` left it.
      kind: name of the imputer's class.
      version: of the format that this package writes; newer ones are refused.
      restore: `(fields, arrays) -> imputer`.

    Raises:
      FileNotFoundError: the folder holds no such model.
      ValueError: the files are damaged, or foreign, such as one with a pickle in it.
    """
    try:
        fields = json.loads((folder / "model.json").read_text())
        if fields.get("format") != format_of(kind):
            raise ValueError(f"another format, {fields.get('format')}")
        if fields["version"] > version:
            raise ValueError(f"version {fields['version']} is newer than this package")
        data = (folder / "model.npz").read_bytes()
        if fields["npz_sha256"] != digest(data):
            raise ValueError("model.npz is not the one that model.json was saved with")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return restore(fields, arrays)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{folder} holds no saved {kind} ({Path(error.filename).name} is missing)"
        ) from error
    except NotADirectoryError as error:
        raise FileNotFoundError(f"{folder} is not a folder") from error
    except Exception as error:  # a torn file fails in zip, JSON, NumPy, or a key
        raise ValueError(
            f"{folder} holds a damaged or foreign model ({error})"
        ) from error


def format_of(kind: str) -> str:
    """Returns what `model.json` calls the format of an imputer's class."""
    return f"ambient_jax.{kind}"


def params_of(imputer: Any) -> dict[str, Any]:
    """Returns the parameters that all imputers have in a form that JSON can hold.

    A `random_state` is not saved: the seed is, which was drawn from it.
    """
    params = imputer.get_params(deep=False) | {"random_state": None}
    for features in FEATURES:
        params[features] = [json_cells.to_json(name) for name in params[features]]
    markers = params["missing_markers"]
    params["missing_markers"] = None if markers is None else list(markers)
    return params


def restored_params(params: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `params_of`; parameters that it does not know stay as they are."""
    named = {
        features: [json_cells.from_json(name) for name in params.get(features, ())]
        for features in FEATURES
    }
    return params | named


def fields_of(imputer: Any) -> dict[str, Any]:
    """Returns the fitted attributes that all imputers have in a form for JSON."""
    names = getattr(imputer, "feature_names_in_", None)
    return {
        "codec": imputer.codec_.to_json(),
        "schema": [field.to_json() for field in imputer.schema_],
        "history": imputer.history_, "seconds": imputer.seconds_,
        "seed": imputer.seed_, "holes_in_fit": imputer.holes_in_fit_.tolist(),
        "n_features_in": imputer.n_features_in_,
        "missing_markers": list(imputer.missing_markers_.items()),
        "feature_names_in": None if names is None else list(names),
    }  # fmt: skip


def restore_fields(imputer: Any, fields: dict[str, Any]) -> None:
    """Sets the attributes that `fields_of` returned."""
    imputer.codec_ = TableCodec.from_json(fields["codec"])
    imputer.schema_ = tuple(Field.from_json(field) for field in fields["schema"])
    imputer.history_, imputer.seconds_ = fields["history"], fields["seconds"]
    imputer.seed_ = fields["seed"]
    imputer.holes_in_fit_ = np.asarray(fields["holes_in_fit"], int)
    imputer.n_features_in_ = fields["n_features_in"]
    imputer.missing_markers_ = {
        position: tuple(texts) for position, texts in fields.get("missing_markers", ())
    }
    if fields["feature_names_in"] is not None:
        imputer.feature_names_in_ = np.asarray(fields["feature_names_in"], object)


def arrays_of_params(params: Params) -> dict[str, np.ndarray]:
    """Returns a network's parameters, nested by name, as arrays of a file."""
    flat = flatten(params, "/", PARAMS_PREFIX)
    return {name: np.asarray(leaf) for name, leaf in flat.items()}


def under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays whose names begin with `prefix`, without it."""
    found = {k: v for k, v in arrays.items() if k.startswith(prefix)}
    return {k.removeprefix(prefix): v for k, v in found.items()}
