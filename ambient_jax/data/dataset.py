"""Data sets: what training may see, apart from what only evaluation may see."""

from dataclasses import dataclass

import numpy as np

from ambient_jax.data.alphabet import Alphabet


@dataclass(frozen=True, kw_only=True)
class IncompleteData:
    """Incomplete rows: all that training is given. It holds no value of a missing cell.

    Attributes:
      tokens: `[N, L]` unsigned integers, 0..V-1, and MASK = V where a cell is missing.
      shape: shape of one row, (H, W) or (L,).
      num_values: V.
      context: `[N, F]` float32, extra features of the observed tokens (see
        `Denoiser.apply`); None: there are none.
      excluded_rows: `[N, K]` bool, rows that member k of an `Ensemble` does not train
        on; None: all members train on all rows.

    Raises:
      ValueError: shapes do not agree, or a token is above MASK.
    """

    tokens: np.ndarray
    shape: tuple[int, ...]
    num_values: int
    context: np.ndarray | None = None
    excluded_rows: np.ndarray | None = None

    def __post_init__(self) -> None:
        length = int(np.prod(self.shape))
        if self.tokens.ndim != 2 or self.tokens.shape[1] != length:
            raise ValueError(
                f"tokens have shape {self.tokens.shape}, expected [N, {length}]"
            )
        if self.tokens.size and self.tokens.max() > self.num_values:
            raise ValueError(f"tokens above MASK = {self.num_values}")
        for name in ("context", "excluded_rows"):
            array = getattr(self, name)
            if array is not None and len(array) != len(self.tokens):
                raise ValueError(
                    f"{name} has {len(array)} rows, tokens {len(self.tokens)}"
                )

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def mask(self) -> int:
        """The MASK symbol."""
        return self.num_values

    @property
    def rows(self) -> np.ndarray:
        """The tokens, as `family.TrainingData` names them."""
        return self.tokens

    @property
    def missing_share(self) -> float:
        """Share of the cells that are missing, in [0, 1]."""
        return 1.0 - float((self.tokens < self.num_values).mean())

    @property
    def observed(self) -> np.ndarray:
        """`[N, L]` bool: cells that are not missing."""
        return self.tokens != self.num_values


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Labelled rows that a classifier is trained and evaluated on; evaluation only.

    Attributes:
      test: `[M]` classes 0..C-1 of the test rows.
      reference: `[R, L]` complete training rows.
      reference_labels: `[R]` their classes.
    """

    test: np.ndarray
    reference: np.ndarray
    reference_labels: np.ndarray

    @property
    def num_classes(self) -> int:
        """C, the number of classes."""
        return int(max(self.test.max(), self.reference_labels.max())) + 1


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Evaluation only: test rows, labels, and true values of missing training cells.

    Attributes:
      test: `[M, L]` tokens; MASK where a user's own test rows have missing cells.
      test_observed: `[M, L]` bool, cells that are given when test rows are imputed;
        False wherever `test` is MASK.
      mask: MASK = V.
      labels: for the classifier behind the Frechet distance; None if there are none.
      train_truth: `[N, L]` complete training rows, shown beside their completions in
        reports; None if they are not known.
    """

    test: np.ndarray
    test_observed: np.ndarray
    mask: int
    labels: Labels | None = None
    train_truth: np.ndarray | None = None

    @property
    def complete(self) -> bool:
        """Whether the true value of every test cell is known."""
        return bool((self.test != self.mask).all())

    @property
    def shown(self) -> np.ndarray:
        """`[M, L]` test tokens, with MASK in cells that are not given."""
        return np.where(self.test_observed, self.test, self.mask).astype(
            self.test.dtype
        )


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set ready for a run.

    Attributes:
      name: its source, for reports.
      train: rows to train on.
      valid: rows held out of training, with missing cells as in the training rows.
      held_out: data for evaluation; None if there are no test rows.
      observed_share: share of the training cells that are observed, in (0, 1].
      alphabet: the characters that the tokens stand for; None: the data are no text.
    """

    name: str
    train: IncompleteData
    valid: IncompleteData
    held_out: HeldOut | None
    observed_share: float
    alphabet: Alphabet | None = None


def token_dtype(num_values: int) -> np.dtype:
    """Returns the smallest unsigned integer type that holds MASK = V."""
    return np.min_scalar_type(num_values)
