"""Reads the folder of a finished run, without JAX."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ambient_jax.errors import UnfinishedRun

Curve = tuple[list[float], list[float]]
"""Steps, and the values at these steps."""

REQUIRED_FIELDS = (
    ("config", "name"), ("data", "name"), ("data", "test_fingerprint"),
)  # fmt: skip
"""Sections and fields of summary.json without which no report can be made."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """The files of a finished run.

    Attributes:
      path: the folder.
      summary: contents of summary.json.
      curves: name -> curve, from metrics.csv.
      pictures: arrays of pictures.npz; see `evaluation` for their names.
      rows: arrays of rows.npz, metric -> `[M]` nats of each test row.
    """

    path: Path
    summary: dict[str, Any]
    curves: dict[str, Curve]
    pictures: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]

    @property
    def name(self) -> str:
        """The config's name."""
        return self.summary["config"]["name"]

    def figure(self, name: str) -> str | None:
        """Returns `value ± standard error` as text; None if the run has none."""
        value = self.summary.get(name)
        if not isinstance(value, int | float):
            return None
        error = self.summary.get(f"{name}_se")
        return f"{value:.4g}" + (f" ± {error:.2g}" if error is not None else "")


def read_record(path: Path) -> Record:
    """Reads the folder of a run.

    Raises:
      UnfinishedRun: the folder lacks a file, or one of its files is damaged.
    """
    try:
        summary = json.loads((path / "summary.json").read_text())
        with np.load(path / "pictures.npz") as archive:
            pictures = dict(archive.items())
        with np.load(path / "rows.npz") as archive:
            rows = dict(archive.items())
        curves: dict[str, Curve] = {}
        with (path / "metrics.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                steps, values = curves.setdefault(row["name"], ([], []))
                steps.append(float(row["step"]))
                values.append(float(row["value"]))
        for section, name in REQUIRED_FIELDS:
            _ = summary[section][name]
    except Exception as error:  # damaged archives fail in zlib, zipfile, ...
        reason = " ".join(str(error).split())[:120]
        raise UnfinishedRun(
            f"{path} holds no finished run ({type(error).__name__}: {reason})"
        ) from error
    return Record(
        path=path, summary=summary, curves=curves, pictures=pictures, rows=rows
    )
