"""Marginal shares of the tokens, from incomplete rows."""

import numpy as np

PSEUDO_COUNT = 0.5
"""Added to the count of each value, so that none has probability zero (Jeffreys)."""


def log_marginals(rows: np.ndarray, num_values: int) -> np.ndarray:
    """Returns `log p(x_i = v)` `[L, V]` float32 by the observed counts of each place.

    Args:
      rows: `[N, L]` tokens, MASK = V where one is missing.
    """
    counts = np.stack([(rows == v).sum(axis=0) for v in range(num_values)], axis=-1)
    counts = counts + PSEUDO_COUNT
    return np.log(counts / counts.sum(axis=-1, keepdims=True)).astype(np.float32)
