"""The file `metrics.csv`: one line per metric, appended during the run."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path

HEADER = ["round", "step", "name", "value"]


class Recorder:
    """Appends lines `round,step,name,value` to a file.

    Args:
      path: the file; it is created with a header if it does not exist.
      rows: number of lines that the checkpoint of the run knows of. Later ones, which a
        killed run wrote after its last checkpoint, are dropped; they will come again.
    """

    def __init__(self, path: Path, rows: int = 0):
        self._path = path
        known: list[list[str]] = []
        if path.exists():
            with path.open(newline="") as file:
                known = list(csv.reader(file))[1 : rows + 1]
        self.rows = len(known)
        temporary = path.with_name(f".{path.name}.tmp")
        with temporary.open("w", newline="") as file:
            csv.writer(file).writerows([HEADER, *known])
        os.replace(temporary, path)
        self._file = path.open("a", newline="")

    def write(self, round_: int, step: int, metrics: Mapping[str, float]) -> None:
        """Appends one line per metric and hands them to the operating system."""
        writer = csv.writer(self._file)
        writer.writerows(
            [round_, step, name, f"{value:.9g}"] for name, value in metrics.items()
        )
        self.rows += len(metrics)
        self._file.flush()

    def sync(self) -> None:
        """Puts the lines on the disk (before a checkpoint that counts them)."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
