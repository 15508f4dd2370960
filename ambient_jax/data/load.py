"""Loads a `Dataset`: reads a source, tokenizes it, splits it and masks cells."""

from typing import Literal

import numpy as np

from ambient_jax.data import pictures, split
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
from ambient_jax.errors import ArgumentError, UserError, nearest

Complete = Literal["none", "all", "few"]
"""Which training rows are complete; see `load_dataset`."""


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
    complete: Complete = "none",
) -> Dataset:
    """Loads a data set. All its randomness is a function of `seed`.

    Args:
      source: `digits`, `mnist`, `binarized_mnist`, or the path of an `.npz`.
      dir: folder of the original files, for mnist and binarized_mnist; see
        `data.pictures`.
      missingness: masks cells of complete rows. Rows that already have missing cells
        are not masked further.
      tokenizer: turns grey levels into tokens; not used for an `.npz`.
      num_train: number of training rows, validation rows included. None: all.
      num_valid: number of those rows that are held out for validation. None: 10 %.
      num_test: number of test rows. None: all, or a fifth of the rows of an `.npz`
        that is complete and has no test rows.
      side: height and width in pixels to which pictures are shrunk. None: no change.
      seed: root of all randomness; 0 or larger.
      complete: `all` trains on the complete rows (the oracle), `few` on so many of them
        that they have as many cells as are observed without it (the ceiling of what the
        incomplete rows could teach). That holds for the validation rows, too, which
        choose the checkpoint. The cells of test rows are masked as with `none`.

    Raises:
      ArgumentError: an argument does not fit the data.
      UserError: the source is unknown, or its data cannot be used.
    """
    rng = np.random.default_rng([seed, 0])
    if source.endswith(".npz"):
        if side is not None:
            raise ArgumentError(
                "side", "{argument} applies to picture sets, not to an .npz"
            )
        rows = read_npz(source)
    else:
        rows = _picture_rows(read_pictures(source, dir, rng), side, tokenizer, rng)
    return from_rows(
        rows, source, missingness=missingness, num_train=num_train, num_valid=num_valid,
        num_test=num_test, seed=seed, complete=complete,
        shuffle=source.endswith(".npz"),
    )  # fmt: skip


def from_rows(
    rows: Rows, name: str, *, missingness: Missingness, num_train: int | None = None,
    num_valid: int | None = None, num_test: int | None = None, seed: int = 0,
    complete: Complete = "none", shuffle: bool = True,
) -> Dataset:  # fmt: skip
    """Returns a `Dataset` of rows in memory.

    Args:
      rows: tokens, with -1 where a cell is missing.
      name: the data set's name, in reports and messages.
      missingness, num_train, num_valid, num_test, seed, complete: see `load_dataset`.
      shuffle: puts the rows in a random order first. Needed for rows that may be
        sorted, since the first ones are those held out for validation.

    Raises:
      ArgumentError, UserError: as `load_dataset`.
    """
    rng = np.random.default_rng([seed, 2])
    if shuffle:
        rows = split.shuffled(rows, np.random.default_rng([seed, 3]))
    incomplete = bool((rows.x < 0).any())
    if not incomplete and rows.x_test is None:
        rows = split.split_off_test(rows, num_test, rng)
    rows = split.subset(rows, num_train, num_test, rng)
    if incomplete and complete != "none":
        raise ArgumentError(
            "complete",
            f"{{argument}}={complete}: {name} has missing cells, so that its complete "
            "rows are not known",
        )
    return _masked(name, rows, incomplete, missingness, num_valid, seed, complete)


def read_pictures(source: str, dir: str | None, rng) -> pictures.Pictures:
    """Returns the grey levels of a known set.

    Raises:
      UserError: the source is unknown, or its data cannot be used.
    """
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


def _masked(
    source: str, rows: Rows, incomplete: bool, missingness: Missingness,
    num_valid: int | None, seed: int, complete: Complete,
) -> Dataset:  # fmt: skip
    rng = np.random.default_rng([seed, 1])
    mask = rows.num_values
    observed, shown = _observed(rows, incomplete, missingness, rng)
    valid = split.validation_count(len(rows.x), num_valid)
    train, held = np.arange(valid, len(rows.x)), np.arange(valid)
    if complete == "few":
        choice = np.random.default_rng([seed, 4])
        train = split.as_many_cells(observed, train, choice)
        held = split.as_many_cells(observed, held, choice)
    if complete != "none":
        observed = np.ones_like(observed)
    tokens = _flat(np.where(observed, rows.x, mask), mask)
    if not (tokens[train] < mask).any():
        raise UserError(f"{source}: nothing is observed in the rows to train on")

    def part(selected: np.ndarray) -> IncompleteData:
        return IncompleteData(
            tokens=tokens[selected], shape=rows.x.shape[1:], num_values=mask
        )

    return Dataset(
        name=source, train=part(train), valid=part(held),
        held_out=_held_out(
            rows, shown, None if incomplete else _flat(rows.x, mask), valid, train
        ),
        observed_share=float((tokens[train] < mask).mean()),
    )  # fmt: skip


def _observed(
    rows: Rows, incomplete: bool, missingness: Missingness, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns which cells of `x` are observed, and which of `x_test` are shown.

    Test rows of incomplete data are shown through the missingness patterns of randomly
    drawn training rows; complete data are masked by the mechanism.
    """
    n, mask = len(rows.x), rows.num_values
    x_test = (
        np.empty((0, *rows.x.shape[1:]), int) if rows.x_test is None else rows.x_test
    )
    if incomplete:
        observed = rows.x >= 0
        patterns = observed[rng.integers(n, size=len(x_test))]
        return observed, patterns & (x_test >= 0)
    both = np.concatenate([rows.x, np.maximum(x_test, 0)])
    seen = _apply(missingness, both, mask, rng)
    return seen[:n], seen[n:] & (x_test >= 0)


def _held_out(
    rows: Rows, shown: np.ndarray, truth: np.ndarray | None, valid: int,
    train: np.ndarray,
) -> HeldOut | None:  # fmt: skip
    """Returns the test data, with the truth behind the training rows' missing cells.

    Args:
      shown: cells of the test rows that are given when they are imputed.
      truth: complete rows of `x`; None if the data have missing cells of their own.
      valid: number of rows at the start of `x` that are held out for validation. The
        classifier behind the Frechet distance is trained on all others, so that the
        distances of all configurations compare.
      train: indices of the rows that are trained on.
    """
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
        train_truth=None if truth is None else truth[train],
    )


def _apply(missingness, x: np.ndarray, mask: int, rng) -> np.ndarray:
    try:
        return missingness(x, mask, rng)
    except ValueError as error:
        raise ArgumentError("missingness", f"{{argument}}: {error}") from error


def _flat(x: np.ndarray, mask: int) -> np.ndarray:
    return x.reshape(len(x), -1).astype(token_dtype(mask))
