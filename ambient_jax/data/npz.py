"""Reads and checks a user's own rows from an `.npz` file."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ambient_jax.errors import UserError, nearest

MAX_VALUES = 4096
"""Largest V: networks and completions hold an array of V numbers for every token."""

MAX_CLASSES = 1000
"""Largest number of classes; more are mostly row numbers or times given as labels."""

NAMES = ("x", "observed", "x_test", "observed_test", "y", "y_test", "num_values")
"""Names of all arrays that a file may hold."""

INTEGER_LIMIT = 2**62
"""Integers from here on are refused before they could overflow int64."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The contents of a file. Rows are int64 `[N, *shape]`, -1 where a cell is missing.

    Attributes:
      x: rows to train on, or to complete.
      x_test: rows to evaluate on, or None.
      y, y_test: `[N]` labels 0..C-1, or None.
      num_values: V, as the file states it; if it does not, the largest value + 1, and
        at least 2.
    """

    x: np.ndarray
    x_test: np.ndarray | None
    y: np.ndarray | None
    y_test: np.ndarray | None
    num_values: int


def read_npz(path: str | Path) -> Rows:
    """Reads and checks a file.

    The file holds an array `x`, `[N, H, W]` or `[N, L]`, of integers 0..V-1. Missing
    cells are -1 in it, or False in a boolean array `observed` of the same shape.
    Optional are `x_test` (with `observed_test`), labels `y` and `y_test`, and a scalar
    `num_values`. Other arrays are refused, since what they mean would be lost.

    Args:
      path: of the `.npz` file; `~` stands for the home folder.

    Raises:
      UserError: the file cannot be read, or its arrays cannot be used.
    """
    path = Path(path).expanduser()
    return check_arrays(open_npz(path), str(path))


def check_arrays(arrays: Mapping[str, np.ndarray], path: str) -> Rows:
    """Checks the arrays of a file and returns them as `Rows`.

    Args:
      arrays: named as in `read_npz`.
      path: with which messages begin.

    Raises:
      UserError: as `read_npz`.
    """
    if "x" not in arrays:
        names = ", ".join(sorted(arrays)) or "nothing"
        raise UserError(
            f"{path} has no array `x` (it holds {names}); save rows as x=..."
        )
    _check_names(path, arrays)
    x = _tokens(path, "x", arrays["x"], arrays.get("observed"))
    x_test = None
    if "x_test" in arrays:
        x_test = _tokens(path, "x_test", arrays["x_test"], arrays.get("observed_test"))
        if x_test.shape[1:] != x.shape[1:]:
            raise UserError(
                f"{path}: rows of `x_test` have shape {x_test.shape[1:]}, of `x` "
                f"{x.shape[1:]}; they must agree"
            )
    y, y_test = _classes(
        path, _labels(path, arrays, "y", x), _labels(path, arrays, "y_test", x_test)
    )
    values = _num_values(path, arrays, x, x_test)
    return Rows(x=x, x_test=x_test, y=y, y_test=y_test, num_values=values)


def _check_names(path: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuses arrays that would be ignored: unknown ones, or of absent test rows."""
    for name in sorted(arrays):
        if name not in NAMES:
            advice = nearest(name, NAMES)
            if "mask" in name.lower():
                advice = ("; save a boolean `observed`, False where a cell is missing. "
                          f"One of: {', '.join(NAMES)}")  # fmt: skip
            raise UserError(f"{path} holds an unknown array `{name}`{advice}")
        if name.endswith("_test") and "x_test" not in arrays:
            raise UserError(f"{path} holds `{name}` but no test rows `x_test`")


def whole_numbers(where: str, x: Any) -> np.ndarray:
    """Returns `x` as int64.

    Args:
      where: with which messages begin.
      x: an array, or nested sequences, of integers or of floats without fractions.

    Raises:
      UserError: `x` is no array of whole numbers, or holds one that is far too large.
    """
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise UserError(f"{where} is no array: its rows differ in length") from error
    if x.dtype.kind not in "iubf":
        raise UserError(f"{where} has type {x.dtype}; it must hold whole numbers")
    if x.dtype.kind == "f":
        if np.isnan(x).any():
            raise UserError(f"{where} holds NaN; write missing cells as -1")
        if not np.array_equal(x, np.round(x)):
            raise UserError(
                f"{where} holds fractions; tokens are whole numbers 0..V-1, so bin the "
                "values first (for grey levels in [0, 1]: np.rint(x * (V - 1)))"
            )
    for extreme in (x.max(initial=0), x.min(initial=0)):
        if abs(float(extreme)) >= INTEGER_LIMIT:
            raise UserError(
                f"{where} holds {extreme}; whole numbers below {MAX_VALUES} are needed"
            )
    return x.astype(np.int64)


def open_npz(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a file by name.

    Raises:
      UserError: the file cannot be read.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise UserError(f"{path} is a .npy, not an .npz; use np.savez(path, x=x)")
        with archive:
            return {name: archive[name] for name in archive.files}
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        line = " ".join(str(error).split())[:120]
        raise UserError(
            f"{path} cannot be read as an .npz file ({line}); write it with np.savez"
        ) from error
    except Exception as error:  # a damaged one fails in zlib, the header parser, ...
        raise UserError(f"{path} is damaged ({type(error).__name__})") from error


def _tokens(
    path: str, name: str, x: np.ndarray, observed: np.ndarray | None
) -> np.ndarray:
    """Returns the rows `x` as int64, with -1 where a cell is missing."""
    where = f"{path}: `{name}`"
    x = whole_numbers(where, x)
    if x.ndim not in (2, 3) or 0 in x.shape[1:]:
        raise UserError(f"{where} has shape {x.shape}; it must be [N, H, W] or [N, L]")
    if len(x) == 0:
        raise UserError(f"{where} holds no rows")
    if x.min() < -1:
        raise UserError(
            f"{where} holds {x.min()}; values are 0..V-1, and -1 if missing"
        )
    return x if observed is None else _with_missing(where, x, observed)


def _with_missing(where: str, x: np.ndarray, observed: np.ndarray) -> np.ndarray:
    if observed.shape != x.shape or observed.dtype.kind != "b":
        raise UserError(
            f"{where} comes with an `observed` of shape {observed.shape} and type "
            f"{observed.dtype}; it must be boolean {x.shape}"
        )
    if (x < 0).any() and not np.array_equal(x >= 0, observed):
        count = int(((x >= 0) != observed).sum())
        raise UserError(
            f"{where} and `observed` contradict each other in {count} cells; mark "
            "missing cells by -1 or by `observed`, or by both alike"
        )
    return np.where(observed, x, -1)


def _labels(
    path: str, arrays: Mapping, name: str, rows: np.ndarray | None
) -> np.ndarray | None:
    if name not in arrays or rows is None:
        return None
    labels = arrays[name]
    if labels.shape != (len(rows),) or labels.dtype.kind not in "iu":
        raise UserError(f"{path}: `{name}` must hold one integer per row")
    labels = whole_numbers(f"{path}: `{name}`", labels)
    if labels.min() < 0:
        raise UserError(
            f"{path}: `{name}` holds {labels.min()}; a label is 0 or larger, and there "
            f"is one for every row, so leave `{name}` out where some are not known"
        )
    return labels


def _classes(
    path: str, y: np.ndarray | None, y_test: np.ndarray | None
) -> list[np.ndarray | None]:
    """Maps the labels of both, in sorted order, to classes 0..C-1."""
    given = [labels for labels in (y, y_test) if labels is not None]
    different = np.unique(np.concatenate(given)) if given else np.empty(0)
    if len(different) > MAX_CLASSES:
        raise UserError(
            f"{path}: `y` holds {len(different)} different labels; at most "
            f"{MAX_CLASSES} are supported, so merge some or leave `y` out"
        )
    return [None if labels is None else np.searchsorted(different, labels)
            for labels in (y, y_test)]  # fmt: skip


def _num_values(
    path: str, arrays: Mapping, x: np.ndarray, x_test: np.ndarray | None
) -> int:
    largest = int(max(x.max(), -1 if x_test is None else x_test.max()))
    stated = arrays.get("num_values")
    if stated is None:
        values = max(largest + 1, 2)
    elif np.ndim(stated) == 0 and np.asarray(stated).dtype.kind in "iu":
        values = int(stated)
    else:
        raise UserError(f"{path}: `num_values` must be one integer")
    if values < 2:
        raise UserError(f"{path}: `num_values` is {values}; it must be at least 2")
    if largest >= values:
        raise UserError(
            f"{path}: value {largest} lies outside 0..{values - 1} (`num_values`)"
        )
    if values > MAX_VALUES:
        raise UserError(
            f"{path}: V = {values} values; at most {MAX_VALUES} are supported, so bin "
            "them first"
        )
    return values
