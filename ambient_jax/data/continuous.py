"""Continuous data: what training may see, apart from what only evaluation may see."""

from dataclasses import dataclass

import numpy as np

from ambient_jax.data.dataset import Labels


@dataclass(frozen=True, kw_only=True)
class ContinuousData:
    """Incomplete continuous rows (`family.TrainingData`): all that training is given.

    Attributes:
      rows: `[N, L]` float32, NaN where a cell is missing.
      shape: shape of one row, (H, W), (C, H, W) or (L,).
      context: not used by the Gaussian family; None.
      excluded_rows: `[N]` or `[N, K]` bool, rows that contribute no loss; None: all do.

    Raises:
      ValueError: shapes or types do not agree, or a value is infinite.
    """

    rows: np.ndarray
    shape: tuple[int, ...]
    context: np.ndarray | None = None
    excluded_rows: np.ndarray | None = None

    def __post_init__(self) -> None:
        length = int(np.prod(self.shape))
        if self.rows.ndim != 2 or self.rows.shape[1] != length:
            raise ValueError(
                f"rows have shape {self.rows.shape}, expected [N, {length}]"
            )
        if self.rows.dtype != np.float32:
            raise ValueError(f"rows have type {self.rows.dtype}, expected float32")
        if np.isinf(self.rows).any():
            raise ValueError("rows hold infinite values")
        if self.excluded_rows is not None and len(self.excluded_rows) != len(self.rows):
            raise ValueError("excluded_rows has another length than rows")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def observed(self) -> np.ndarray:
        """`[N, L]` bool: cells that are not missing."""
        return ~np.isnan(self.rows)

    @property
    def missing_share(self) -> float:
        """Share of the cells that are missing, in [0, 1]."""
        return 1.0 - float(self.observed.mean())


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Maps rows in the units of the data to the unit of the diffusion and back.

    `z = (x - mean) / (2 sd)`, which has the standard deviation 1/2 that EDM assumes.

    Attributes:
      mean, sd: `[1]` for pictures, whose pixels share a scale, or `[L]`.
    """

    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def fit(cls, rows: np.ndarray, pooled: bool, noise: float = 0.0) -> "Scaling":
        """Fits mean and standard deviation to the observed cells.

        Args:
          rows: `[N, L]`, NaN where a cell is missing.
          pooled: whether all cells share one scale.
          noise: standard deviation of the noise in the rows, which is taken out of
            that of the data.
        """
        axis = None if pooled else 0
        mean = np.atleast_1d(np.nanmean(rows, axis=axis, dtype=np.float64))
        variance = np.atleast_1d(np.nanvar(rows, axis=axis, dtype=np.float64))
        variance = np.maximum(variance - noise**2, 0.0)
        return cls(mean=mean, sd=np.sqrt(np.where(variance > 1e-12, variance, 1.0)))

    def scaled(self, rows: np.ndarray) -> np.ndarray:
        """Returns float32 rows in the unit of the diffusion."""
        return ((rows - self.mean) / (2.0 * self.sd)).astype(np.float32)

    def restored(self, rows: np.ndarray) -> np.ndarray:
        """Returns float32 rows in the units of the data: the inverse of `scaled`."""
        return (self.mean + 2.0 * self.sd * rows).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class ContinuousHeldOut:
    """Evaluation only: test rows, in the units of the data.

    Attributes:
      test: `[M, L]` float32; NaN where a user's own test rows have missing cells.
      shown: `[M, L]` what is given of them: NaN in cells that are hidden, and with
        noise, where the training rows have it.
      labels: for the classifier behind the Frechet distance; None if there are none.
        Its rows are complete and clean.
    """

    test: np.ndarray
    shown: np.ndarray
    labels: Labels | None = None

    @property
    def test_observed(self) -> np.ndarray:
        """`[M, L]` bool: cells that are given when test rows are imputed."""
        return ~np.isnan(self.shown)

    @property
    def complete(self) -> bool:
        """Whether the true value of every test cell is known."""
        return not np.isnan(self.test).any()

    @property
    def hidden(self) -> np.ndarray:
        """`[M, L]` bool: cells that are not shown and whose truth is known."""
        return np.isnan(self.shown) & np.isfinite(self.test)


@dataclass(frozen=True, kw_only=True)
class ContinuousDataset:
    """A continuous data set ready for a run.

    Attributes:
      name: its source, for reports.
      train: rows to train on, scaled.
      held_out: rows for evaluation, not scaled; None if there are none.
      scaling: between both units.
      observed_share: share of the training cells that are observed, in (0, 1].
    """

    name: str
    train: ContinuousData
    held_out: ContinuousHeldOut | None
    scaling: Scaling
    observed_share: float

    @property
    def valid(self) -> ContinuousData:
        """No row is held out for validation: the last checkpoint is the final one."""
        return ContinuousData(rows=self.train.rows[:0], shape=self.train.shape)
