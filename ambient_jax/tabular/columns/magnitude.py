"""Arithmetic that neither overflows nor underflows, for any finite float64 values.

Values are multiplied by powers of two, which is exact. Where nothing would have
overflowed or underflowed, the results are those of the plain formulas, bit for bit.
"""

import numpy as np

FLOAT64_LIMITS = (-float(np.finfo(np.float64).max), float(np.finfo(np.float64).max))
"""The smallest and the largest finite double."""

SAFE_EXPONENT = 960
"""Values below 2**960 can be subtracted from each other and summed over 2**63 rows."""

FAR = 2.0**1000
"""A bound beyond all values that are below 2**`SAFE_EXPONENT`. The difference of two
values within it is finite."""

WHOLE = 2.0**53
"""Every double of this size or more is a whole number."""


def safe_exponent(values: np.ndarray) -> int:
    """The smallest `e >= 0` with `|values| / 2**e` below 2**`SAFE_EXPONENT`.

    It is 0 for columns of any usual size. Subtraction only needs a factor of two, so
    small values next to a huge one lose no digits.
    """
    exponent = int(np.frexp(np.abs(values).max())[1])
    return max(0, exponent - SAFE_EXPONENT)


def root_mean_square(values: np.ndarray) -> float:
    """The root mean square of values `[n]`, whose squares may exceed a double."""
    exponent = int(np.frexp(np.abs(values).max())[1])
    unit = np.ldexp(values, -exponent)
    return float(np.ldexp(np.sqrt(np.mean(unit**2)), exponent))


def root_mean_squares(values: np.ndarray, groups: np.ndarray, size: int) -> np.ndarray:
    """The root mean square `[K]` of each of K = `size` groups of values.

    Each group is scaled by its own largest value, so that one huge value does not
    erase the spread of the other groups.

    Args:
      values: `[n]`.
      groups: `[n]` ints in `[0, size)`; no group is empty.
      size: K.
    """
    largest = np.zeros(size)
    np.maximum.at(largest, groups, np.abs(values))
    exponent = np.frexp(largest)[1]
    unit = np.ldexp(values, -exponent[groups])
    mean = np.bincount(groups, unit**2, size) / np.bincount(groups, minlength=size)
    return np.ldexp(np.sqrt(mean), exponent)


def round_decimals(values: np.ndarray, decimals: int) -> np.ndarray:
    """Rounds values; those that are too large to have decimals stay as they are."""
    with np.errstate(over="ignore"):
        return np.where(np.abs(values) < WHOLE, np.round(values, decimals), values)


def round_within(
    values: np.ndarray, decimals: int, low: float, high: float
) -> np.ndarray:
    """Rounds values `[n]` to decimals, and clips them to rounded values in a range.

    Args:
      values: finite.
      decimals: at least 0.
      low, high: the range, which may end between two values that the decimals can
        write, by rounding errors beyond one of them.
    """
    steps = 10.0**decimals
    if abs(low) < WHOLE:
        first = np.ceil(low * steps - 1e-6 - 1e-12 * abs(low * steps))
        low = np.round(first / steps, decimals)
    if abs(high) < WHOLE:
        last = np.floor(high * steps + 1e-6 + 1e-12 * abs(high * steps))
        high = np.round(last / steps, decimals)
    return np.clip(round_decimals(values, decimals), low, high)


def mixture_sd(p: np.ndarray, distance: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """The standard deviation `[n]` of mixtures of K components.

    Args:
      p: `[n, K]` weights; rows sum to 1.
      distance: `[n, K]` means of the components, less the mean of the mixture.
      sd: `[K]` or `[n, K]` standard deviations of the components.
    """
    size = np.where(p > 0, np.hypot(distance, sd), 0.0)
    largest = size.max(axis=1, keepdims=True)
    unit = np.where(largest > 0, largest, 1.0)
    return unit[:, 0] * np.sqrt(np.sum(p * (size / unit) ** 2, axis=1))
