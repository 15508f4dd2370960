"""Shapes of the arrays in an `.npz`, from their headers: no data are read."""

import zipfile
from pathlib import Path

import numpy as np


def array_shapes(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Returns the shape of each array of a file, by name.

    A file that cannot be read has none; `data.npz.read_npz` says what is wrong with it.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    try:
        with zipfile.ZipFile(Path(path).expanduser()) as archive:
            for member in archive.namelist():
                with archive.open(member) as file:
                    shapes[member.removesuffix(".npy")] = _shape(file)
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile):
        return {}
    return shapes


def _shape(file) -> tuple[int, ...]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)[0]
    return np.lib.format.read_array_header_2_0(file)[0]
