"""Atomic writes: a file is written under a temporary name, synced, then renamed."""

import contextlib
import errno
import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ambient_jax.errors import OutputError


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Calls `write(temporary)`, then renames the temporary file to `path`."""
    temporary = _temporary(path)
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Tests whether `path` could be written, and creates nothing there.

    Raises:
      OutputError: it could not, for example because it is a folder.
    """
    with output_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        _temporary(path).touch()
        _temporary(path).unlink()


@contextlib.contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turns an `OSError` raised while `path` is written into an `OutputError`."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror})") from error


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


def digest(*parts: bytes) -> str:
    """Returns the SHA-256 hash of the concatenated parts, in hexadecimal."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` atomically."""
    write_atomically(path, lambda temporary: _write(temporary, data))


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any, *, strict: bool = False) -> None:
    """Writes indented JSON atomically.

    Args:
      strict: writes null for NaN and infinity, which JSON does not have and which
        readers other than Python's refuse.
    """
    value = _finite(value) if strict else value
    write_text(path, json.dumps(value, indent=2, allow_nan=not strict) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a compressed `.npz` atomically.

    Unlike those of `np.savez_compressed`, its bytes depend on the arrays alone and not
    on the time of writing.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            part = io.BytesIO()
            np.lib.format.write_array(part, np.asarray(array), allow_pickle=False)
            archive.writestr(entry, part.getvalue())
    write_bytes(path, buffer.getvalue())
