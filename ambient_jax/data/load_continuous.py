"""Loads a `ContinuousDataset`: reads a source, adds noise, splits, hides, scales."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ambient_jax.data.continuous import (
    ContinuousData,
    ContinuousDataset,
    ContinuousHeldOut,
    Scaling,
)
from ambient_jax.data.continuous_npz import read_continuous
from ambient_jax.data.dataset import Labels
from ambient_jax.data.load import read_pictures
from ambient_jax.data.missingness import Missingness
from ambient_jax.data.split import DEFAULT_TEST_DIVISOR, chosen
from ambient_jax.errors import ArgumentError, UserError


class _Rows(NamedTuple):
    """Rows to train on and test rows, with their classes where there are any."""

    x: np.ndarray
    x_test: np.ndarray
    y: np.ndarray | None = None
    y_test: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class ContinuousSource:
    """What is loaded, and what is done to it.

    Attributes:
      source: `digits`, `mnist`, or the path of an `.npz`.
      dir: folder of the original files, for mnist; see `data.pictures`.
      missingness: hides cells of complete rows; None: nothing is hidden. Rows that have
        missing cells already are not masked further.
      noise: standard deviation of the noise in the rows, in their units, at least 0. It
        is added to pictures of a known set; an `.npz` is taken to have it.
      num_train, num_test: numbers of rows; None: all, or a fifth of the rows of an
        `.npz` without test rows.
      side: height and width in pixels to which pictures are shrunk; None: no change.
      seed: root of all randomness.
      complete: whether the training rows stay complete (the oracle). Test rows are
        hidden alike.

    Raises:
      ArgumentError: `noise` is below 0.
    """

    source: str
    dir: str | None = None
    missingness: Missingness | None = None
    noise: float = 0.0
    num_train: int | None = None
    num_test: int | None = None
    side: int | None = None
    seed: int = 0
    complete: bool = False

    def __post_init__(self) -> None:
        if not self.noise >= 0:
            raise ArgumentError(
                "noise", f"{{argument}} must not be below 0, got {self.noise}"
            )

    def load(self) -> ContinuousDataset:
        """Returns the data set; all its randomness is a function of the seed.

        Pictures of a known set are split, chosen and (completely at random) hidden as
        for the masked family with that seed, so that figures of both compare.

        Raises:
          ArgumentError, UserError: an argument or the data cannot be used.
        """
        own = self.source.endswith((".npz", ".csv", ".parquet"))
        rows = self._own_rows() if own else self._pictures()
        choice = np.random.default_rng([self.seed, 2])
        train = chosen(len(rows.x), self.num_train, "num_train", choice)
        test = chosen(len(rows.x_test), self.num_test, "num_test", choice)
        x, x_test, labels = rows.x[train], rows.x_test[test], None
        if rows.y is not None and rows.y_test is not None:
            labels = Labels(
                test=rows.y_test[test], reference=x.reshape(len(x), -1),
                reference_labels=rows.y[train],
            )  # fmt: skip
        shown, shown_test = self._hidden(
            x, x_test, np.random.default_rng([self.seed, 1])
        )
        if self.noise and not own:
            rng = np.random.default_rng([self.seed, 6])
            shown, shown_test = (
                part + (self.noise * rng.normal(size=part.shape)).astype(np.float32)
                for part in (shown, shown_test)
            )
        return _scaled(self.source, shown, x_test, shown_test, self.noise, labels)

    def _own_rows(self) -> _Rows:
        if self.side is not None:
            raise ArgumentError(
                "side", "{argument} applies to picture sets, not to an .npz"
            )
        found = read_continuous(self.source)
        x, x_test = found.x, found.x_test
        if x_test is None and np.isnan(x).any():
            x_test = np.empty((0, *x.shape[1:]), np.float32)
        if x_test is None:
            order = np.random.default_rng([self.seed, 5]).permutation(len(x))
            count = len(x) // DEFAULT_TEST_DIVISOR
            x, x_test = x[order[count:]], x[order[:count]]
        return _Rows(x, x_test)

    def _pictures(self) -> _Rows:
        rng = np.random.default_rng([self.seed, 0])
        found = read_pictures(self.source, self.dir, rng).resized(self.side)
        return _Rows(found.train, found.test, found.train_labels, found.test_labels)

    def _hidden(
        self, x: np.ndarray, x_test: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the rows with NaN where the mechanism hides a cell.

        Test rows of data with missing cells of their own are shown through the
        patterns of randomly drawn training rows.
        """
        nan = np.float32(np.nan)
        if np.isnan(x).any():
            if self.complete:
                raise ArgumentError("complete", "{argument}: the rows have holes")
            patterns = np.isnan(x)[rng.integers(len(x), size=len(x_test))]
            return x, np.where(patterns, nan, x_test)
        if self.missingness is None:
            return x, x_test
        both = np.concatenate([x, np.nan_to_num(x_test)])
        low, high = float(both.min()), float(both.max())
        level = (both - low) / max(high - low, 1e-12)
        if level.ndim == 4:  # the channels of a pixel are missing together
            level = level.mean(axis=1)
        try:
            observed = self.missingness(level, 2, rng)
        except ValueError as error:
            raise ArgumentError("missingness", f"{{argument}}: {error}") from error
        if x.ndim == 4:
            observed = np.repeat(observed[:, None], x.shape[1], axis=1)
        train, test = observed[: len(x)], observed[len(x) :]
        if self.complete:
            train = np.ones_like(train)
        return np.where(train, x, nan), np.where(test, x_test, nan)


def _scaled(
    name: str, x: np.ndarray, x_test: np.ndarray, shown_test: np.ndarray, noise: float,
    labels: Labels | None,
) -> ContinuousDataset:  # fmt: skip
    if not np.isfinite(x).any():
        raise UserError(f"{name}: nothing is observed in the rows to train on")
    empty = int(np.isnan(x).all(axis=0).sum())
    if empty:
        raise UserError(f"{name}: {empty} cells are observed in no row; leave them out")
    shape = x.shape[1:]
    flat, test, shown = (
        part.reshape(len(part), x[0].size) for part in (x, x_test, shown_test)
    )
    if noise and noise >= np.nanstd(flat):
        raise ArgumentError(
            "noise",
            f"{{argument}}={noise}: the values themselves have a standard deviation of "
            f"{np.nanstd(flat):.3g}; the noise in them must be smaller",
        )
    # A noise of one level in all cells is one only where all cells share a scale.
    scaling = Scaling.fit(flat, pooled=len(shape) > 1 or noise > 0, noise=noise)
    held_out = None
    if len(test):
        held_out = ContinuousHeldOut(test=test, shown=shown, labels=labels)
    return ContinuousDataset(
        name=name, train=ContinuousData(rows=scaling.scaled(flat), shape=shape),
        held_out=held_out, scaling=scaling,
        observed_share=float(np.isfinite(flat).mean()),
    )  # fmt: skip
