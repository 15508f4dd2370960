"""A point estimate of all cells of a row: the most central of several joint draws."""

import zlib
from collections.abc import Sequence

import numpy as np

from ambient_jax.tabular.columns.column import Column
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.model import ROWS_AT_ONCE, TableModel

JOINT_DRAWS = 20
"""Joint draws of a row from which the most central one is chosen, as many as
`AmbientImputer.sample_imputations` makes by default."""


def central_draws(
    model: TableModel, tokens: np.ndarray, context: np.ndarray, holes: np.ndarray,
    seed: int,
) -> np.ndarray:  # fmt: skip
    """For each row the medoid of `JOINT_DRAWS` draws from its joint posterior.

    The randomness is a function of the seed and of the row itself, so that a row is
    completed alike whatever the others are.

    Args:
      model: the fitted model.
      tokens: `[N, L]`, MASK where a token is to be drawn.
      context: `[N, F]` as in `Encoded`.
      holes: `[N, L]` bool, true where a cell is missing. Other cells may be MASK too:
        those of a category that fit did not see.
      seed: of the draws.

    Returns:
      `[N, L]` tokens; visible ones are as they were.
    """
    parts = [np.zeros((0, tokens.shape[1]), tokens.dtype)]
    at_once = ROWS_AT_ONCE // JOINT_DRAWS
    for begin in range(0, len(tokens), at_once):
        rows = slice(begin, begin + at_once)
        ids = np.array([zlib.crc32(row.tobytes()) for row in tokens[rows]])
        draws = model.draws(tokens[rows], context[rows], seed, range(JOINT_DRAWS), ids)
        chosen = medoids(model.codec.columns, draws, holes[rows])
        parts.append(draws[chosen, np.arange(len(chosen))])
    return np.concatenate(parts)


def medoids(
    columns: Sequence[Column], tokens: np.ndarray, holes: np.ndarray
) -> np.ndarray:
    """For each row the draw `[n]` with the smallest mean distance to all its draws.

    The distance of two draws is summed over the row's missing cells: 1 where categories
    differ, and between numbers the share of the column's observed values that lies
    between them (Gower's distance, of ranks). Where draws tie, the first is chosen.

    Args:
      columns: the L columns.
      tokens: `[m, n, L]`, m joint draws of n rows; no MASK where a cell is missing.
      holes: `[n, L]` bool, true where a cell is missing.

    References:
      Gower 1971 (Biometrics 27, 857); Podani 1999 (Taxon 48, 331) for ranks.
    """
    total = np.zeros(tokens.shape[:2])
    for i, column in enumerate(columns):
        rows = np.flatnonzero(holes[:, i])
        own = tokens[:, rows, i].astype(np.int64)
        if isinstance(column.coder, NumberColumn):
            share = column.coder.share
            own = (np.cumsum(share) - share / 2)[own]
        for draw, cells in enumerate(own):
            between = np.abs(own - cells) if column.numeric else own != cells
            total[draw, rows] += between.mean(axis=0)
    return total.argmin(axis=0)
