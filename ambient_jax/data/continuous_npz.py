"""Reads and checks a user's own continuous rows from an `.npz` file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ambient_jax.data.npz import open_npz
from ambient_jax.errors import UserError, nearest

NAMES = ("x", "x_test", "y", "y_test")
"""Names of all arrays that a file may hold; labels are not used."""


@dataclass(frozen=True, kw_only=True)
class ContinuousRows:
    """The contents of a file. Rows are float32 `[N, *shape]`, NaN where missing.

    Attributes:
      x: rows to train on, or to complete.
      x_test: rows to evaluate on, or None.
    """

    x: np.ndarray
    x_test: np.ndarray | None = None


def read_continuous(path: str | Path) -> ContinuousRows:
    """Reads and checks a file.

    The file holds an array `x` of floats, `[N, H, W]`, `[N, C, H, W]` or `[N, L]`, with
    NaN in missing cells, and optionally `x_test`.

    Raises:
      UserError: the file cannot be read, or its arrays cannot be used.
    """
    path = Path(path).expanduser()
    if path.suffix != ".npz":
        raise UserError(f"{path} is no .npz; this config reads floats from an .npz")
    arrays = open_npz(path)
    for name in sorted(arrays):
        if name not in NAMES:
            raise UserError(
                f"{path} holds an unknown array `{name}`{nearest(name, NAMES)}"
            )
    if "x" not in arrays:
        raise UserError(f"{path} has no array `x`; save rows as x=...")
    x = _floats(f"{path}: `x`", arrays["x"])
    x_test = None
    if "x_test" in arrays:
        x_test = _floats(f"{path}: `x_test`", arrays["x_test"])
        if x_test.shape[1:] != x.shape[1:]:
            raise UserError(
                f"{path}: rows of `x_test` have shape {x_test.shape[1:]}, of `x` "
                f"{x.shape[1:]}; they must agree"
            )
    return ContinuousRows(x=x, x_test=x_test)


def _floats(where: str, x: np.ndarray) -> np.ndarray:
    if x.dtype.kind != "f":
        raise UserError(
            f"{where} has type {x.dtype}; the Gaussian family needs floats, with NaN "
            "in missing cells (integers 0..V-1 are for configs/em_only.py)"
        )
    if x.ndim not in (2, 3, 4) or 0 in x.shape:
        raise UserError(
            f"{where} has shape {x.shape}; it must be [N, H, W], [N, C, H, W] or "
            "[N, L], with rows"
        )
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    if np.isinf(x).any():
        raise UserError(f"{where} holds infinite values, or some beyond float32")
    return x
