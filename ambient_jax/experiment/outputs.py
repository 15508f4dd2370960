"""Files that the modes of `launch.py` write: checked before the work is done."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ambient_jax.errors import OutputError, UserError
from ambient_jax.files import check_writable


def is_npz(path: str | None) -> bool:
    """Whether a flag names an `.npz`."""
    return Path(path or "").suffix == ".npz"


def new_file(name: str, flags: Any, suffix: str) -> Path:
    """A file to write, which must not exist yet unless `--overwrite` is given."""
    path = Path(name).expanduser()
    if path.suffix != suffix:
        raise UserError(f"--output={name} must end in {suffix}")
    if path.exists() and not flags.overwrite:
        raise UserError(f"{path} exists; give another --output, or --overwrite")
    if not path.parent.is_dir():
        raise UserError(f"the folder of --output={name} does not exist")
    with output_advice():
        check_writable(path)
    return path


@contextlib.contextmanager
def output_advice() -> Iterator[None]:
    """Adds to an `OutputError` what the user can do about it."""
    try:
        yield
    except OutputError as error:
        raise UserError(f"{error}; give another --output") from error
