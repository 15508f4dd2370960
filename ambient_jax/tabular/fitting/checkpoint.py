"""A fit that survives a kill: after every round it is kept in a folder."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np

from ambient_jax.files import digest, write_json
from ambient_jax.tabular.columns.codec import Encoded
from ambient_jax.tabular.fitting.recipe import Recipe
from ambient_jax.training.progress import Progress


def fingerprint(
    encoded: Encoded, excluded_rows: np.ndarray, recipe: Recipe, seed: int
) -> str:
    """Of all that decides a fit.

    The rows as the network reads them, those `excluded_rows [N, K]`, recipe and seed.
    """
    arrays = (encoded.tokens, encoded.context, excluded_rows)
    settings = repr((recipe, seed, [a.shape for a in arrays])).encode()
    return digest(settings, *(a.tobytes() for a in arrays))[:16]


class FitCheckpoint:
    """State and history of an unfinished fit in `folder`.

    What lies there of a fit of other data, recipe or seed is dropped, with a warning.
    """

    def __init__(self, folder: Path, identity: str):
        # Orbax takes a second to load, which a fit that is not kept does not need.
        from ambient_jax.training.checkpoint import Checkpoints

        self._file = folder / "fit.json"
        known = _read(self._file)
        if known is not None and known["identity"] != identity:
            warnings.warn(
                f"{folder} keeps a fit of other data or settings; it is dropped",
                UserWarning, stacklevel=2,
            )  # fmt: skip
            known = None
        if known is None:
            shutil.rmtree(folder / "rounds", ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
        self._identity = identity
        self._history: list[float] = [] if known is None else known["history"]
        self._checkpoints = Checkpoints(folder / "rounds", keep=1)

    def save(self, progress: Progress, history: list[float]) -> None:
        """Keeps the fit; its newest score belongs to it if a round has just ended."""
        write_json(self._file, {"identity": self._identity, "history": history})
        position = progress.position
        ended = position.phase in ("estep", "done") and position.index == 0
        score = history[-1] if history and ended else None
        self._checkpoints.save(progress, score)

    def restore(self, template: Progress) -> tuple[Progress, list[float]] | None:
        """Where the fit stood, and its history up to there; None if it is new."""
        found = self._checkpoints.restore(template)
        if found is None:
            return None
        return found, self._history[: found.position.round]

    def best(self, template: Progress) -> Progress | None:
        """The kept round with the lowest score."""
        return self._checkpoints.restore_best(template)

    def close(self) -> None:
        """Waits until all is on disk."""
        self._checkpoints.close()


def _read(path: Path) -> dict | None:
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return known if {"identity", "history"} <= set(known) else None
