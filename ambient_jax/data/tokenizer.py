"""Tokenizers: they map grey levels in [0, 1] to tokens 0..V-1."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from ambient_jax.data.npz import MAX_VALUES


@runtime_checkable
class Tokenizer(Protocol):
    """Maps grey levels to tokens."""

    @property
    def num_values(self) -> int:
        """V, the number of values that a token can take."""
        ...

    def __call__(self, grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns unsigned integers 0..V-1 of the shape of `grey`.

        Args:
          grey: `[N, ...]` in [0, 1].
          rng: source of all randomness.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Binary: 1 where the grey level is at least `threshold`.

    Examples:
      >>> Threshold()(np.array([[0.2, 0.5]]), np.random.default_rng(0))
      array([[0, 1]], dtype=uint8)
    """

    threshold: float = 0.5

    @property
    def num_values(self) -> int:
        return 2

    def __call__(self, grey, rng):
        return (grey >= self.threshold).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class Stochastic:
    """Binary: 1 with the grey level as its probability, drawn once when data load."""

    @property
    def num_values(self) -> int:
        return 2

    def __call__(self, grey, rng):
        return (rng.random(grey.shape) < grey).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Rounds to the nearest of `num_values` equally spaced grey levels.

    Examples:
      >>> rng = np.random.default_rng(0)
      >>> Levels(num_values=5)(np.array([[0.0, 0.3, 1.0]]), rng)
      array([[0, 1, 4]], dtype=uint8)

    Raises:
      ValueError: `num_values` is below 2 or above `MAX_VALUES`.
    """

    num_values: int = 16

    def __post_init__(self) -> None:
        if not 2 <= self.num_values <= MAX_VALUES:
            raise ValueError(
                f"num_values must lie in 2..{MAX_VALUES}, got {self.num_values}"
            )

    def __call__(self, grey, rng):
        dtype = np.min_scalar_type(self.num_values)
        return np.rint(grey * (self.num_values - 1)).astype(dtype)


TOKENIZERS: dict[str, Callable[..., Tokenizer]] = {
    "threshold": Threshold, "stochastic": Stochastic, "levels": Levels,
}  # fmt: skip
"""The tokenizers by the names that configs use."""
