"""Missingness mechanisms: MCAR, MAR, MNAR, blocks, and whole lines of a picture.

A mechanism is any callable `(x, num_values, rng) -> observed` (see `Missingness`). A
new one is registered by its name, which configs then accept:

    @dataclass(frozen=True, kw_only=True)
    class TopHalf:
        rate: float = 0.5

        def __call__(self, x, num_values, rng):
            observed = np.ones(x.shape, bool)
            observed[:, : round(self.rate * x.shape[1])] = False
            return observed

    MECHANISMS["top_half"] = TopHalf

`rate` is the expected share of missing cells, in [0, 1); reports show the share that
came out. Terms as in Rubin 1976 (Biometrika 63, 581).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

MAX_STRENGTH = 1000
"""Largest slope in logits; with it the value decides alone which cells are missing."""

CELLS_PER_ANCHOR = 10
"""`MAR` always observes one cell in ten, enough for their mean to differ by rows."""

MAX_LOG_ODDS = 100.0
"""Log-odds at which a probability is 0 or 1 in float64: bounds of a root search."""

TINY = 1e-9
"""Replaces a denominator of 0."""


@runtime_checkable
class Missingness(Protocol):
    """Draws which cells of a data set are observed."""

    def __call__(
        self, x: np.ndarray, num_values: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Returns a bool array of the shape of `x`, False where a cell is missing.

        Args:
          x: `[N, *shape]` complete rows of tokens 0..V-1.
          num_values: V.
          rng: source of all randomness.
        """
        ...


def mask_tokens(
    mechanism: Missingness, tokens: np.ndarray, mask: int, rng: np.random.Generator
) -> np.ndarray:
    """Masks further cells of rows that may already be incomplete.

    Args:
      mechanism: draws the cells to mask. Whether a cell is MASK already makes no
        difference to `MCAR`, `Blocks` and `Lines`; `MAR` and `MNAR` take it for a value
        one above the largest.
      tokens: `[N, *shape]` integers 0..V-1, and MASK where a cell is missing.
      mask: MASK = V.
      rng: source of all randomness.

    Returns:
      The tokens, with the same shape and dtype, and MASK in more cells.

    Examples:
      >>> rng = np.random.default_rng(0)
      >>> mask_tokens(MCAR(rate=0.5), np.zeros((2, 4), int), 2, rng)
      array([[0, 2, 2, 2],
             [0, 0, 0, 0]])
    """
    observed = mechanism(tokens, mask, rng)
    return np.where(observed, tokens, mask).astype(tokens.dtype)


@dataclass(frozen=True, kw_only=True)
class _WithRate:
    """A mechanism with an expected share of missing cells, `rate`."""

    rate: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"rate must lie in [0, 1), got {self.rate}")


@dataclass(frozen=True, kw_only=True)
class _WithStrength(_WithRate):
    """A mechanism whose log-odds depend on values, with slope `strength`."""

    strength: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not abs(self.strength) <= MAX_STRENGTH:
            raise ValueError(
                f"strength must lie in -{MAX_STRENGTH}..{MAX_STRENGTH} (logits), "
                f"got {self.strength}"
            )


@dataclass(frozen=True, kw_only=True)
class MCAR(_WithRate):
    """Missing completely at random: cells independently, with probability `rate`.

    Examples:
      >>> x = np.zeros((1000, 8, 8), int)
      >>> observed = MCAR(rate=0.3)(x, 2, np.random.default_rng(0))
      >>> round(float(observed.mean()), 2)
      0.7
    """

    def __call__(self, x, num_values, rng):
        return rng.random(x.shape) >= self.rate


@dataclass(frozen=True, kw_only=True)
class MAR(_WithStrength):
    """Missing at random: the probability depends on observed cells alone.

    One cell in ten (at least one, the same in all rows) is an anchor, which is always
    observed. The log-odds that another cell of the row is missing grow by `strength`
    per standard deviation of the mean of the row's anchors.

    Examples:
      >>> x = np.random.default_rng(0).integers(0, 2, (2000, 20))
      >>> observed = MAR(rate=0.5)(x, 2, np.random.default_rng(1))
      >>> int(observed.all(axis=0).sum())  # the anchors
      2

    Raises:
      ValueError: at the call, if the anchors are too many for `rate` to be possible.
    """

    def __call__(self, x, num_values, rng):
        flat = x.reshape(len(x), -1)
        length = flat.shape[1]
        count = min(max(1, length // CELLS_PER_ANCHOR), length - 1)
        anchors = rng.permutation(length) < count
        target = self.rate / max(1.0 - anchors.mean(), TINY)
        if target >= 1:
            raise ValueError(
                f"rate {self.rate} is out of reach: {anchors.mean():.0%} of the cells "
                "are anchors that MAR always observes"
            )
        score = _standardise(flat[:, anchors].mean(axis=1))
        probability = _calibrate(self.strength * score[:, None], target)
        missing = (rng.random(flat.shape) < probability) & ~anchors
        return (~missing).reshape(x.shape)


@dataclass(frozen=True, kw_only=True)
class MNAR(_WithStrength):
    """Missing not at random: the probability depends on the value of the cell itself.

    Its log-odds grow by `strength` from the smallest value to the largest.
    """

    def __call__(self, x, num_values, rng):
        level = x / max(num_values - 1, 1)
        return rng.random(x.shape) >= _calibrate(self.strength * level, self.rate)


@dataclass(frozen=True, kw_only=True)
class Blocks(_WithRate):
    """Square blocks of `size` x `size` cells; intervals of `size` cells for `[N, L]`.

    Blocks may overlap and may cross the border. They begin at random places, as often
    as makes every cell missing with probability `rate`.

    Examples:
      >>> x = np.zeros((500, 8, 8), int)
      >>> observed = Blocks(rate=0.3, size=3)(x, 2, np.random.default_rng(0))
      >>> abs(float(observed.mean()) - 0.7) < 0.02
      True
    """

    size: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")

    def __call__(self, x, num_values, rng):
        sides = [min(self.size, extent) for extent in x.shape[1:]]
        # Blocks may begin outside of the picture, so that every cell (also at the
        # border) can lie in np.prod(sides) blocks. Each of them is drawn with
        # probability p, which solves 1 - (1 - p) ** np.prod(sides) = rate.
        shape = [n + s - 1 for n, s in zip(x.shape[1:], sides, strict=True)]
        p = 1.0 - (1.0 - self.rate) ** (1.0 / np.prod(sides))
        missing = rng.random((len(x), *shape)) < p
        for axis, side in enumerate(sides, start=1):
            windows = np.lib.stride_tricks.sliding_window_view(missing, side, axis)
            missing = windows.any(axis=-1)
        return np.logical_not(missing)


@dataclass(frozen=True, kw_only=True)
class Lines(_WithRate):
    """Whole lines of a picture: rows or columns, with equal probability per picture.

    For `[N, L]` every cell is a line, which makes it `MCAR`.
    """

    def __call__(self, x, num_values, rng):
        if x.ndim == 2:
            return rng.random(x.shape) >= self.rate
        by_row = rng.random(len(x)) < 0.5
        rows = rng.random((len(x), x.shape[1], 1)) >= self.rate
        columns = rng.random((len(x), 1, x.shape[2])) >= self.rate
        return np.where(by_row[:, None, None], rows, columns)


def _standardise(score: np.ndarray) -> np.ndarray:
    return (score - score.mean()) / max(score.std(), TINY)


def _calibrate(log_odds: np.ndarray, rate: float) -> np.ndarray:
    """Returns `sigmoid(log_odds + c)`, with the `c` for which its mean is `rate`."""
    if rate == 0:
        return np.zeros_like(log_odds)
    values, counts = np.unique(log_odds, return_counts=True)

    def excess(c: float) -> float:
        return float(np.average(expit(values + c), weights=counts)) - rate

    low, high = -MAX_LOG_ODDS - values.max(), MAX_LOG_ODDS - values.min()
    return expit(log_odds + brentq(excess, low, high))


MECHANISMS: dict[str, Callable[..., Missingness]] = {
    "mcar": MCAR, "mar": MAR, "mnar": MNAR, "blocks": Blocks, "lines": Lines,
}  # fmt: skip
"""The mechanisms by the names that configs use."""
