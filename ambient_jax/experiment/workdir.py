"""The folder of a run: its lock, its config and data, and the paths of its files."""

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from ambient_jax.data.alphabet import Alphabet
from ambient_jax.data.continuous import ContinuousDataset, Scaling
from ambient_jax.data.dataset import Dataset
from ambient_jax.errors import UserError
from ambient_jax.files import digest, write_json
from ambient_jax.nesting import flatten

AnyDataset = Dataset | ContinuousDataset
"""A data set of either family."""


class Workdir:
    """Paths of one run. Nothing is written before `claim`."""

    def __init__(self, path: str | Path):
        self.path = Path(path).expanduser().absolute()
        self._lock: IO[str] | None = None

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def claim(self, config: Mapping[str, Any], dataset: AnyDataset) -> bool:
        """Locks the folder for this run; returns whether it holds a run already.

        Raises:
          UserError: it cannot be written, is in use, or is refused by `check`.
        """
        found = self.check(config, dataset)
        self._take_lock()
        if not (self / "data.json").exists() or not found:
            write_json(self / "data.json", describe_data(dataset))
        if not found:
            write_json(self / "config.json", config)
        return found

    def check(self, config: Mapping[str, Any], dataset: AnyDataset) -> bool:
        """Returns whether the folder holds a run already. Writes nothing.

        Raises:
          UserError: the folder holds other files, or belongs to a run with another
            config or other data (the message names the difference).
        """
        data = describe_data(dataset)
        known = self._read("config.json")
        if known is not None:
            self._refuse_difference("config", known, dict(config))
            self._refuse_difference("data", self._read("data.json") or data, data)
        elif self.path.exists() and any(
            p.name != "data.json" and not p.name.startswith(".")
            for p in self._listing()
        ):  # data.json alone: a run that was killed before its first file was whole
            raise UserError(
                f"{self.path} holds files but no run; give an empty or new --workdir"
            )
        return known is not None

    def config(self) -> dict[str, Any]:
        """Returns the config of the run in the folder.

        Raises:
          UserError: there is none.
        """
        known = self._read("config.json")
        if known is None:
            raise UserError(
                f"no run in {self.path} (no config.json); train one first with "
                "--mode=train, or mend --workdir"
            )
        return known

    def sizes(self) -> tuple[tuple[int, ...], int]:
        """Returns the shape of a row and V of the data that the run was trained on.

        Raises:
          UserError: data.json does not say.
        """
        data = self._read("data.json") or {}
        try:
            shape = tuple(int(size) for size in data["shape"])
            return shape, int(data["num_values"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{self / 'data.json'} does not say what the run was trained on; "
                "remove it, and the command that trained the run writes it anew"
            ) from error

    def alphabet(self) -> Alphabet | None:
        """Returns the alphabet of a run on text; None for a run on other data."""
        fields = (self._read("data.json") or {}).get("alphabet")
        return None if fields is None else Alphabet.from_json(fields)

    def continuous(self) -> tuple[tuple[int, ...], Scaling, float]:
        """Returns what a run on continuous rows was trained on.

        That is the shape of a row, the scaling, and the share of observed cells.

        Raises:
          UserError: data.json does not say.
        """
        data = self._read("data.json") or {}
        try:
            shape = tuple(int(size) for size in data["shape"])
            mean, sd = (np.asarray(data[name], float) for name in ("mean", "sd"))
            share = float(data["observed_share"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{self / 'data.json'} does not say what the run was trained on"
            ) from error
        return shape, Scaling(mean=mean, sd=sd), share

    def release(self) -> None:
        """Lets another process use the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _listing(self) -> list[Path]:
        if not self.path.is_dir():
            raise UserError(f"--workdir={self.path} is not a folder")
        return list(self.path.iterdir())

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            found = json.loads((self / name).read_text())
            if not isinstance(found, dict):
                raise ValueError("it holds no object {...}")
            return found
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise UserError(f"{self / name} cannot be read: {error}") from error

    def _take_lock(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self / ".lock").open("w")
        except OSError as error:
            raise UserError(
                f"--workdir={self.path} cannot be written ({error.strerror})"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise UserError(
                f"{self.path} is in use by another process; wait or use another folder"
            ) from error

    def _refuse_difference(self, what: str, old: dict, new: dict) -> None:
        changes = differences(old, as_json(new))
        if changes:
            listed = "; ".join(f"{k}: {a!r} -> {b!r}" for k, (a, b) in changes.items())
            raise UserError(
                f"{self.path} belongs to a run with another {what} ({listed}); "
                "use a new --workdir, or the same command as before"
            )


def describe_data(dataset: AnyDataset) -> dict[str, Any]:
    """Returns sizes and fingerprints of the training rows and of the test rows."""
    train, held_out = dataset.train, dataset.held_out
    tests = () if held_out is None else (held_out.test, held_out.test_observed)
    return {
        "name": dataset.name,
        "rows": len(train),
        "valid_rows": len(dataset.valid),
        "test_rows": len(dataset.held_out.test) if dataset.held_out else 0,
        "shape": list(train.shape),
        **_of_family(dataset),
        "observed_share": round(dataset.observed_share, 6),
        "fingerprint": _fingerprint(train.rows, dataset.valid.rows),
        "test_fingerprint": _fingerprint(*tests),
    }


def _of_family(dataset: AnyDataset) -> dict[str, Any]:
    """V of tokens and the alphabet of text, or the scaling of continuous rows."""
    if isinstance(dataset, ContinuousDataset):
        scaling = dataset.scaling
        return {"mean": scaling.mean.tolist(), "sd": scaling.sd.tolist()}
    found: dict[str, Any] = {"num_values": dataset.train.num_values}
    if dataset.alphabet is not None:
        found["alphabet"] = dataset.alphabet.as_json()
    return found


def _fingerprint(*arrays: np.ndarray) -> str:
    return digest(*(a.tobytes() for a in arrays))[:16]


def as_json(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `tree` as JSON would give it back, with lists in place of tuples."""
    return json.loads(json.dumps(tree))


def differences(old: Mapping, new: Mapping) -> dict[str, tuple[Any, Any]]:
    """`{field: (old, new)}` of the leaves that differ; "absent" where one lacks it."""
    a, b = flatten(old), flatten(new)
    return {
        key: (a.get(key, "absent"), b.get(key, "absent"))
        for key in sorted(a.keys() | b.keys())
        if a.get(key, "absent") != b.get(key, "absent")
    }
