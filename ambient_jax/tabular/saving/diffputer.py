"""A fitted `DiffPuterImputer` in a folder, see `archive`."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ambient_jax.nesting import nest
from ambient_jax.tabular.gaussian.model import GaussianTableModel
from ambient_jax.tabular.gaussian.recipe import DiffPuterRecipe
from ambient_jax.tabular.gaussian.standard_codec import StandardCodec
from ambient_jax.tabular.saving import archive

VERSION = 1
"""Version of the format that `save` writes."""

SCALES = ("mean", "sd", "low", "high")
"""Arrays of a `StandardCodec`."""


def save(imputer: Any, folder: Path) -> None:
    """Writes both files; see `archive.write`."""
    params, model = archive.params_of(imputer), imputer.model_
    params["recipe"] = params["recipe"] and dataclasses.asdict(params["recipe"])
    arrays = {}
    if model is not None:
        arrays = {f"codec/{name}": getattr(model.codec, name) for name in SCALES}
        arrays |= archive.arrays_of_params(model.params)
    fields = {
        "format": archive.format_of("DiffPuterImputer"), "version": VERSION,
        "params": params, **archive.fields_of(imputer),
        # What draws, if the defaults should change: params may name no recipe.
        "recipe": model and dataclasses.asdict(imputer.recipe or DiffPuterRecipe()),
    }  # fmt: skip
    archive.write(folder, fields, arrays)


def load(cls: type, folder: Path) -> Any:
    """Returns an imputer as it was saved; see `archive.read`."""

    def restore(fields: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
        params = archive.restored_params(fields["params"])
        params["recipe"] = params["recipe"] and DiffPuterRecipe(**params["recipe"])
        imputer = cls(**params)
        archive.restore_fields(imputer, fields)
        imputer.model_ = None
        if fields["recipe"]:
            recipe = DiffPuterRecipe(**fields["recipe"])
            imputer.model_ = _model(imputer.codec_, recipe, arrays)
        return imputer

    return archive.read(folder, "DiffPuterImputer", VERSION, restore)


def _model(
    table: Any, recipe: DiffPuterRecipe, arrays: dict[str, np.ndarray]
) -> GaussianTableModel:
    """Raises ValueError where the arrays are not those of such a model."""
    codec = StandardCodec.of(table, **archive.under("codec/", arrays))
    params = nest(archive.under(archive.PARAMS_PREFIX, arrays), "/")
    network = recipe.network(codec.length)
    expected = jax.eval_shape(network.init, jax.random.key(0))
    found = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), params)
    if found != jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), expected):
        raise ValueError("the arrays are not those of its network")
    return GaussianTableModel.of(codec, recipe, params)
