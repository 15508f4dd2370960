"""Which rows are for training, for validation and for tests."""

import dataclasses

import numpy as np

from ambient_jax.data.npz import Rows
from ambient_jax.errors import ArgumentError, UserError

DEFAULT_TEST_DIVISOR = 5
"""Without `num_test`, one row in five of a complete `.npz` becomes a test row."""

DEFAULT_VALID_DIVISOR = 10
"""Without `num_valid`, one training row in ten is held out for validation."""


def split_off_test(rows: Rows, num_test: int | None, rng) -> Rows:
    """Makes `num_test` rows of `x` (default: a fifth) the test rows."""
    order = rng.permutation(len(rows.x))
    count = num_test if num_test is not None else len(order) // DEFAULT_TEST_DIVISOR
    test, train = order[:count], order[count:]
    return Rows(
        x=rows.x[train], x_test=rows.x[test] if count else None,
        y=None if rows.y is None else rows.y[train],
        y_test=None if rows.y is None or not count else rows.y[test],
        num_values=rows.num_values,
    )  # fmt: skip


def shuffled(rows: Rows, rng: np.random.Generator) -> Rows:
    """Returns the rows and their labels in a random order."""
    order = rng.permutation(len(rows.x))
    return dataclasses.replace(
        rows, x=rows.x[order], y=None if rows.y is None else rows.y[order]
    )


def subset(rows: Rows, num_train: int | None, num_test: int | None, rng) -> Rows:
    """Draws `num_train` rows of `x` and `num_test` of `x_test`; None: all, in order."""
    train = chosen(len(rows.x), num_train, "num_train", rng)
    x, y = rows.x[train], None if rows.y is None else rows.y[train]
    x_test, y_test = rows.x_test, rows.y_test
    if x_test is not None:
        test = chosen(len(x_test), num_test, "num_test", rng)
        x_test, y_test = x_test[test], None if y_test is None else y_test[test]
    return Rows(x=x, x_test=x_test, y=y, y_test=y_test, num_values=rows.num_values)


def chosen(
    n: int, count: int | None, name: str, rng: np.random.Generator
) -> slice | np.ndarray:
    """Draws which `count` of `n` rows are taken; None: all, in order.

    Raises:
      ArgumentError: there are not so many; `name` is that of the argument.
    """
    if count is None:
        return slice(None)
    if not 0 < count <= n:
        raise ArgumentError(name, f"{{argument}}={count}: there are {n} rows")
    return rng.permutation(n)[:count]


def validation_count(n: int, num_valid: int | None) -> int:
    """Returns how many of `n` rows validate: `num_valid`, or a tenth for None."""
    count = max(1, n // DEFAULT_VALID_DIVISOR) if num_valid is None else num_valid
    if n < 2:
        raise UserError(f"{n} row is too few: at least 2 are needed, 1 for validation")
    if not 0 < count < n:
        reason = f"{{argument}}={count}: must lie in 1..{n - 1}"
        raise ArgumentError("num_valid", reason)
    return count


def as_many_cells(
    observed: np.ndarray, candidates: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draws so many rows that, complete, they have the observed cells of all of them.

    Args:
      observed: bool `[N, *shape]`, False where a cell is missing.
      candidates: indices of the rows to draw from.
      rng: source of all randomness.

    Returns:
      Some of `candidates`, in ascending order. Their number is that of the observed
      cells, in rows, to the nearest row; 1 at least, if anything is observed.
    """
    seen = observed[candidates]
    cells = int(seen.sum())
    count = max(round(cells / seen[0].size), min(cells, 1))
    return np.sort(rng.permutation(candidates)[:count])
