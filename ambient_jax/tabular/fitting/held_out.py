"""Rows kept out of training."""

import numpy as np

from ambient_jax import keys

MAX_ROWS = 1000
"""Maximum number of rows that a single network excludes: more would say little more."""

MIN_ROWS = 30
"""Tables with fewer rows exclude none, because they have none to spare."""

ENSEMBLE_ROWS = 300
"""Rows that validate an ensemble. If each member could exclude rows of its own, several
exclude the same rows instead: these are predicted by the mean of several members, which
is closer to the mean of all members that predicts later."""


def choose_excluded_rows(
    tokens: np.ndarray, mask: int, fraction: float, members: int, seed: int
) -> np.ndarray:
    """Chooses the rows that each member of an ensemble does not train on.

    Each member excludes equally many rows. At least one member trains on each row, and
    rows without an observed cell are never excluded.

    Args:
      tokens: `[N, L]`.
      mask: the MASK symbol, V.
      fraction: maximum share of the rows that a member excludes, in [0, 1).
      members: number of networks K.
      seed: of the choice.

    Returns:
      `[N, K]` bool.
    """
    excluded_rows = np.zeros((len(tokens), members), bool)
    fraction = min(fraction, 1 / members)
    count = round(fraction * len(tokens))
    if len(tokens) < MIN_ROWS or count < 1:
        return excluded_rows
    usable = np.flatnonzero((tokens != mask).any(axis=1))
    rng = keys.host_rng(seed, keys.Purpose.EVALUATION, 1)
    together = max(1, min(members - 1, members * count // ENSEMBLE_ROWS))
    most = MAX_ROWS if members == 1 else ENSEMBLE_ROWS
    chosen = rng.permutation(usable)[: min(most, members * count // together)]
    turn = (np.arange(len(chosen))[:, None] - np.arange(members)) % members
    excluded_rows[chosen] = turn < together
    return excluded_rows
