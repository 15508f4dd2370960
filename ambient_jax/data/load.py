"""From a source's name to a `Dataset`: split, tokenize, hide."""

import dataclasses

import numpy as np

from ambient_jax.data import pictures
from ambient_jax.data.dataset import (
    Dataset,
    HeldOut,
    IncompleteData,
    Labels,
    token_dtype,
)
from ambient_jax.data.missingness import Missingness
from ambient_jax.data.npz import Rows, read_npz
from ambient_jax.data.tokenizer import Tokenizer
from ambient_jax.errors import UserError, nearest


def load_dataset(
    source: str,
    *,
    dir: str | None = None,
    missingness: Missingness,
    tokenizer: Tokenizer,
    num_train: int | None = None,
    num_valid: int | None = None,
    num_test: int | None = None,
    side: int | None = None,
    seed: int = 0,
    complete: bool = False,
) -> Dataset:
    """Loads a data set. Everything random in it is a function of `seed`.

    Args:
      source: `digits`, `mnist`, `binarized_mnist`, or the path of an `.npz`.
      dir: folder of the original files (mnist, binarized_mnist).
      missingness: hides cells of complete rows; rows with holes stay as they are.
      tokenizer: from grey levels to tokens; not used for an `.npz`.
      num_train, num_valid, num_test: sizes; validation rows are taken from the
        `num_train` rows (default 10 %). None: all.
      side: size to shrink pictures to.
      complete: train on the complete rows (the oracle); the test rows are hidden alike.

    Raises:
      UserError: unknown source, or data that cannot be used; says what to do.
    """
    rng = np.random.default_rng([seed, 0])
    if source.endswith(".npz"):
        if side is not None:
            raise UserError("config.data.side applies to picture sets, not to an .npz")
        rows = read_npz(source)
    else:
        rows = _picture_rows(_pictures(source, dir, rng), side, tokenizer, rng)
    return from_rows(
        rows, source, missingness=missingness, num_train=num_train, num_valid=num_valid,
        num_test=num_test, seed=seed, complete=complete,
        shuffle=source.endswith(".npz"),
    )  # fmt: skip


def from_rows(
    rows: Rows, name: str, *, missingness: Missingness, num_train: int | None = None,
    num_valid: int | None = None, num_test: int | None = None, seed: int = 0,
    complete: bool = False, shuffle: bool = True,
) -> Dataset:  # fmt: skip
    """A `Dataset` of rows in memory; arguments and errors as in `load_dataset`.

    `shuffle`: a user's rows may be sorted, and validation takes the first ones.
    """
    rng = np.random.default_rng([seed, 2])
    if shuffle:
        rows = _shuffled(rows, np.random.default_rng([seed, 3]))
    rows, holes = _own_test(rows, num_test, rng)
    rows = _subset(rows, num_train, num_test, rng)
    if holes and complete:
        raise UserError(f"{name} has missing cells: an oracle cannot be trained on it")
    return _hidden(name, rows, holes, missingness, num_valid, seed, complete)


def _pictures(source: str, dir: str | None, rng) -> pictures.Pictures:
    if source == "digits":
        return pictures.digits(rng)
    if source == "mnist":
        return pictures.mnist(dir)
    if source == "binarized_mnist":
        return pictures.binarized_mnist(dir)
    if source == "mnist14":  # of configs/base.py, which changes more than the data
        raise UserError(
            "mnist14 is a name for configs alone; the data are mnist with side=14, "
            "num_train=10000, num_test=2000"
        )
    options = ("digits", "mnist", "mnist14", "binarized_mnist", "PATH.npz")
    raise UserError(f"unknown data {source!r}{nearest(source, options)}")


def _picture_rows(found, side, tokenizer: Tokenizer, rng) -> Rows:
    found = found.resized(side)
    return Rows(
        x=tokenizer(found.train, rng), y=found.train_labels,
        x_test=tokenizer(found.test, rng), y_test=found.test_labels,
        num_values=tokenizer.num_values,
    )  # fmt: skip


def _own_test(rows: Rows, num_test: int | None, rng) -> tuple[Rows, bool]:
    """A user's rows, and whether `x` has holes. A complete `x` without `x_test` gives
    some of its rows (a fifth) to the test."""
    holes = bool((rows.x < 0).any())
    if holes or rows.x_test is not None:
        return rows, holes
    order = rng.permutation(len(rows.x))
    count = num_test if num_test is not None else len(order) // 5
    test, train = order[:count], order[count:]
    return Rows(
        x=rows.x[train], x_test=rows.x[test] if count else None,
        y=None if rows.y is None else rows.y[train],
        y_test=None if rows.y is None or not count else rows.y[test],
        num_values=rows.num_values,
    ), holes  # fmt: skip


def _shuffled(rows: Rows, rng: np.random.Generator) -> Rows:
    order = rng.permutation(len(rows.x))
    return dataclasses.replace(
        rows, x=rows.x[order], y=None if rows.y is None else rows.y[order]
    )


def _subset(rows: Rows, num_train: int | None, num_test: int | None, rng) -> Rows:
    def pick(name, x, y, count):
        if x is None or count is None:
            return x, y
        if not 0 < count <= len(x):
            raise UserError(f"config.data.{name}={count}: there are {len(x)} rows")
        chosen = rng.permutation(len(x))[:count]
        return x[chosen], None if y is None else y[chosen]

    x, y = pick("num_train", rows.x, rows.y, num_train)
    x_test, y_test = pick("num_test", rows.x_test, rows.y_test, num_test)
    return Rows(x=x, x_test=x_test, y=y, y_test=y_test, num_values=rows.num_values)


def _hidden(
    source: str, rows: Rows, holes: bool, missingness: Missingness,
    num_valid: int | None, seed: int, complete: bool,
) -> Dataset:  # fmt: skip
    rng = np.random.default_rng([seed, 1])
    mask = rows.num_values
    observed, shown = _observed(rows, holes, missingness, rng)
    if complete:
        observed = np.ones_like(observed)
    valid = _valid_rows(len(rows.x), num_valid)
    tokens = _flat(np.where(observed, rows.x, mask), mask)
    if not (tokens[valid:] < mask).any():
        raise UserError(f"{source}: nothing is observed in the rows to train on")

    def part(where: slice) -> IncompleteData:
        return IncompleteData(
            tokens=tokens[where], shape=rows.x.shape[1:], num_values=mask
        )

    return Dataset(
        name=source, train=part(slice(valid, None)), valid=part(slice(valid)),
        held_out=_held_out(rows, shown, None if holes else _flat(rows.x, mask), valid),
        observed_share=float((tokens[valid:] < mask).mean()),
    )  # fmt: skip


def _observed(
    rows: Rows, holes: bool, missingness: Missingness, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """What is observed of `x` and what is shown of `x_test`, alike in kind."""
    n, mask = len(rows.x), rows.num_values
    x_test = (
        np.empty((0, *rows.x.shape[1:]), int) if rows.x_test is None else rows.x_test
    )
    if holes:
        observed = rows.x >= 0
        patterns = observed[rng.integers(n, size=len(x_test))]
        return observed, patterns & (x_test >= 0)
    both = np.concatenate([rows.x, np.maximum(x_test, 0)])
    seen = _apply(missingness, both, mask, rng)
    return seen[:n], seen[n:] & (x_test >= 0)


def _held_out(
    rows: Rows, shown: np.ndarray, truth: np.ndarray | None, valid: int
) -> HeldOut | None:
    """`truth`: the complete rows, of which the first `valid` are no training rows."""
    if rows.x_test is None:
        return None
    labels, mask = None, rows.num_values
    if truth is not None and rows.y is not None and rows.y_test is not None:
        labels = Labels(
            test=rows.y_test, reference=truth[valid:], reference_labels=rows.y[valid:]
        )
    return HeldOut(
        test=_flat(np.where(rows.x_test >= 0, rows.x_test, mask), mask),
        test_observed=shown.reshape(len(shown), -1),
        mask=mask,
        labels=labels,
        train_truth=None if truth is None else truth[valid:],
    )


def _apply(missingness, x: np.ndarray, mask: int, rng) -> np.ndarray:
    try:
        return missingness(x, mask, rng)
    except ValueError as error:
        raise UserError(f"config.data.missingness: {error}") from error


def _valid_rows(n: int, num_valid: int | None) -> int:
    count = max(1, n // 10) if num_valid is None else num_valid
    if n < 2:
        raise UserError(f"{n} row is too few: at least 2 are needed, 1 for validation")
    if not 0 < count < n:
        raise UserError(f"config.data.num_valid={count}: must lie in 1..{n - 1}")
    return count


def _flat(x: np.ndarray, mask: int) -> np.ndarray:
    return x.reshape(len(x), -1).astype(token_dtype(mask))
