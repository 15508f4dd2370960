"""Means and ratios over rows, with the standard error of each."""

from collections.abc import Callable, Iterator

import numpy as np

Figures = Iterator[tuple[str, float]]


def mean(name: str, values: np.ndarray) -> Figures:
    """Mean of one value per row, and its standard error where there are two rows."""
    yield name, float(np.mean(values))
    if len(values) > 1:
        yield f"{name}_se", float(np.std(values, ddof=1) / np.sqrt(len(values)))


def ratio(
    name: str,
    top: np.ndarray,
    bottom: np.ndarray,
    transform: Callable[[float], float] = lambda value: value,
) -> Figures:
    """`transform(sum top / sum bottom)` over rows, with the error of a ratio.

    Rows are the independent units, cells of a row are not. The error is the delta
    method's; `transform` is differentiated numerically.
    """
    share = float(top.sum() / bottom.sum())
    residual = top - share * bottom
    yield name, transform(share)
    if len(top) < 2:
        return
    spread = np.sqrt(np.sum(residual**2) * len(top) / (len(top) - 1))
    se = float(spread / bottom.sum())
    step = max(abs(share), 1e-6) * 1e-4
    slope = (transform(share + step) - transform(max(share - step, 0.0))) / (2 * step)
    yield f"{name}_se", abs(slope) * se


def bootstrap(
    name: str,
    statistic: Callable[[np.ndarray], float],
    rows: np.ndarray,
    repeats: int = 20,
) -> Figures:
    """`statistic(rows)`, and its spread over resampled rows."""
    rng = np.random.default_rng(0)
    n = len(rows)
    again = [statistic(rows[rng.integers(n, size=n)]) for _ in range(repeats)]
    yield name, float(statistic(rows))
    yield f"{name}_se", float(np.std(again, ddof=1))
