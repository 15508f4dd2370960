"""Checkpoints of an unfinished fit, which continues only with the same data."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np

from ambient_jax.files import digest, write_json
from ambient_jax.tabular.columns.codec import Encoded
from ambient_jax.tabular.fitting.recipe import Recipe
from ambient_jax.training.checkpoint import Checkpoints


def fingerprint(
    encoded: Encoded, excluded_rows: np.ndarray, recipe: Recipe, seed: int
) -> str:
    """Returns a digest of everything that decides a fit.

    Args:
      encoded: the rows as the network reads them.
      excluded_rows: `[N, K]` bool, the rows that each network does not train on.
      recipe, seed: of the fit.
    """
    arrays = (encoded.tokens, encoded.context, excluded_rows)
    settings = repr((recipe, seed, [a.shape for a in arrays])).encode()
    return digest(settings, *(a.tobytes() for a in arrays))[:16]


class FitCheckpoint(Checkpoints):
    """The checkpoints of one fit in a folder, written after every round.

    Checkpoints of another fit in that folder are deleted, with a warning.

    Args:
      folder: created if it does not exist; `fit.json` in it names the fit.
      identity: the fit's `fingerprint`.
    """

    def __init__(self, folder: Path, identity: str):
        name = folder / "fit.json"
        known = _read_identity(name)
        if known is not None and known != identity:
            warnings.warn(
                f"{folder} holds an unfinished fit of other data or settings; it is "
                "deleted",
                UserWarning, stacklevel=2,
            )  # fmt: skip
        if known != identity:
            shutil.rmtree(folder / "rounds", ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            write_json(name, {"identity": identity})
        super().__init__(folder / "rounds", keep=1)


def _read_identity(path: Path) -> str | None:
    """The fingerprint in a `fit.json`; None where there is none that can be read."""
    try:
        return str(json.loads(path.read_text())["identity"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
