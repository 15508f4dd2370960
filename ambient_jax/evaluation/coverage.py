"""Coverage of the 90 % intervals that draws of missing cells span."""

import numpy as np

NUM_DRAWS = 19
"""Draws of a cell, K. Its true value lies inside with probability `(K - 1) / (K + 1)`,
which is .9, if it is a draw of the same distribution."""


def covered(
    draws: np.ndarray, truth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Returns whether the truth is neither the lowest nor the highest of all values.

    Among K draws and the truth, which are exchangeable under a calibrated model, every
    rank of the truth has the same probability. Values that are equal are ranked at
    random, so that this holds for discrete cells, too.

    Args:
      draws: `[K, ...]` independent draws of each cell.
      truth: `[...]` true values.
      rng: ranks what is equal.

    Returns:
      `[...]` bool.

    References:
      Hamill 2001 (Mon. Weather Rev. 129, 550): rank histograms, ties at random.
    """
    below, equal = (draws < truth).sum(axis=0), (draws == truth).sum(axis=0)
    rank = below + rng.integers(0, equal + 1)
    return (rank > 0) & (rank < len(draws))
