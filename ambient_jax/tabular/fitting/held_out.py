"""Rows kept out of training."""

import numpy as np

from ambient_jax import keys

MOST_ROWS = 1000
"""That one network leaves out."""

FEWEST_ROWS = 30
"""Smaller tables hold nothing out: there is nothing to spare."""

WANTED_ROWS = 300
"""Rows that several networks are judged by. Where each could leave out its own, more
leave out the same ones, so that their mean is judged, which is nearer to the mean of
all that answers later; and no more rows are kept from any than that takes."""


def choose_excluded_rows(
    tokens: np.ndarray, mask: int, fraction: float, members: int, seed: int
) -> np.ndarray:
    """`[N, K]` bool: which of K `members` do not learn from which rows.

    Each leaves out equally many rows, at most `fraction` of all, and none that is all
    missing. So many leave out the same row that `WANTED_ROWS` remain, but one at least
    learns from it.
    """
    excluded_rows = np.zeros((len(tokens), members), bool)
    fraction = min(fraction, 1 / members)
    count = round(fraction * len(tokens))
    if len(tokens) < FEWEST_ROWS or count < 1:
        return excluded_rows
    usable = np.flatnonzero((tokens != mask).any(axis=1))
    rng = keys.host_rng(seed, keys.Purpose.EVALUATION, 1)
    together = max(1, min(members - 1, members * count // WANTED_ROWS))
    most = MOST_ROWS if members == 1 else WANTED_ROWS
    chosen = rng.permutation(usable)[: min(most, members * count // together)]
    turn = (np.arange(len(chosen))[:, None] - np.arange(members)) % members
    excluded_rows[chosen] = turn < together
    return excluded_rows
