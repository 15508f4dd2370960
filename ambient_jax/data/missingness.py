"""Mechanisms that hide values: MCAR, MAR, MNAR, blocks, whole lines.

A mechanism is any callable `(x, num_values, rng) -> observed`:

    @dataclass(frozen=True, kw_only=True)
    class TopHalf:
        rate: float = 0.5

        def __call__(self, x, num_values, rng):      # x: [N, *shape] tokens, complete
            observed = np.ones(x.shape, bool)        # True where measured
            observed[:, : round(self.rate * x.shape[1])] = False
            return observed

    MECHANISMS["top_half"] = TopHalf                 # --config.data.missingness.name

`rate` is the expected share of missing cells, in [0, 1). The share that was reached is
reported with the run. Terms as in Rubin 1976 (Biometrika 63, 581).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit


@runtime_checkable
class Missingness(Protocol):
    """See the module's docstring."""

    def __call__(
        self, x: np.ndarray, num_values: int, rng: np.random.Generator
    ) -> np.ndarray: ...


@dataclass(frozen=True, kw_only=True)
class _Rated:
    rate: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"rate must lie in [0, 1), got {self.rate}")


@dataclass(frozen=True, kw_only=True)
class _Caused(_Rated):
    strength: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not abs(self.strength) <= 1000:
            raise ValueError(
                f"strength must lie in -1000..1000 (logits), got {self.strength}"
            )


@dataclass(frozen=True, kw_only=True)
class MCAR(_Rated):
    """Missing completely at random: each cell alone, with chance `rate`."""

    def __call__(self, x, num_values, rng):
        return rng.random(x.shape) >= self.rate


@dataclass(frozen=True, kw_only=True)
class MAR(_Caused):
    """Missing at random: a row's chance depends on its always-observed anchor cells.

    One cell in ten (at least one, the same in all rows) is an anchor. The log-odds that
    another cell is missing grow by `strength` per standard deviation of the anchors'
    mean value.
    """

    def __call__(self, x, num_values, rng):
        flat = x.reshape(len(x), -1)
        length = flat.shape[1]
        anchors = rng.permutation(length) < min(max(1, length // 10), length - 1)
        target = self.rate / max(1.0 - anchors.mean(), 1e-9)
        if target >= 1:
            raise ValueError(
                f"rate {self.rate} is out of reach: {anchors.mean():.0%} of the cells "
                "are anchors that MAR always observes"
            )
        score = _standardise(flat[:, anchors].mean(axis=1))
        chance = _calibrate(self.strength * score[:, None], target)
        missing = (rng.random(flat.shape) < chance) & ~anchors
        return (~missing).reshape(x.shape)


@dataclass(frozen=True, kw_only=True)
class MNAR(_Caused):
    """Missing not at random: the value itself changes its chance to be missing.

    The log-odds grow by `strength` from the smallest value to the largest.
    """

    def __call__(self, x, num_values, rng):
        level = x / max(num_values - 1, 1)
        return rng.random(x.shape) >= _calibrate(self.strength * level, self.rate)


@dataclass(frozen=True, kw_only=True)
class Blocks(_Rated):
    """Random blocks of `size` cells a side (intervals for [N, L]), until `rate`."""

    size: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")

    def __call__(self, x, num_values, rng):
        sides = [min(self.size, extent) for extent in x.shape[1:]]
        starts = np.prod([n + s - 1 for n, s in zip(x.shape[1:], sides, strict=True)])
        chance = 1.0 - (1.0 - self.rate) ** (1.0 / np.prod(sides))
        # A block begins at each place (also outside the frame) with the same chance,
        # so that every cell is covered with probability `rate`.
        shape = [n + s - 1 for n, s in zip(x.shape[1:], sides, strict=True)]
        begins = rng.random((len(x), int(starts))) < chance
        missing = begins.reshape(len(x), *shape)
        for axis, side in enumerate(sides, start=1):
            windows = np.lib.stride_tricks.sliding_window_view(missing, side, axis)
            missing = windows.any(axis=-1)
        return np.logical_not(missing)


@dataclass(frozen=True, kw_only=True)
class Lines(_Rated):
    """Whole rows or columns of a picture (fair coin per picture); cells of [N, L]."""

    def __call__(self, x, num_values, rng):
        observed = np.empty(x.shape, bool)
        if x.ndim == 2:
            return rng.random(x.shape) >= self.rate
        by_row = rng.random(len(x)) < 0.5
        rows = rng.random((len(x), x.shape[1], 1)) >= self.rate
        columns = rng.random((len(x), 1, x.shape[2])) >= self.rate
        observed[:] = np.where(by_row[:, None, None], rows, columns)
        return observed


def _standardise(score: np.ndarray) -> np.ndarray:
    return (score - score.mean()) / max(score.std(), 1e-9)


def _calibrate(log_odds: np.ndarray, rate: float) -> np.ndarray:
    """Chances `sigmoid(log_odds + c)` with the `c` whose mean chance is `rate`."""
    if rate == 0:
        return np.zeros_like(log_odds)
    values, counts = np.unique(log_odds, return_counts=True)

    def excess(c: float) -> float:
        return float(np.average(expit(values + c), weights=counts)) - rate

    return expit(log_odds + brentq(excess, -100 - values.max(), 100 - values.min()))


MECHANISMS: dict[str, Callable[..., Missingness]] = {
    "mcar": MCAR, "mar": MAR, "mnar": MNAR, "blocks": Blocks, "lines": Lines,
}  # fmt: skip
