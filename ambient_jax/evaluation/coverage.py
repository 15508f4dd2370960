"""Coverage of the 90 % intervals that draws of missing cells span."""

from dataclasses import dataclass

import numpy as np

from ambient_jax.evaluation import estimate
from ambient_jax.evaluation.estimate import Figures
from ambient_jax.inference.row_map import RowMap
from ambient_jax.types import Params, RootKey

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


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """`test_coverage_90`: share of the hidden test cells inside their 90 % intervals.

    It is .9 for draws of `p(missing | observed)`, less where draws vary too little.

    Attributes:
      draw: `(params, key, rows, numbers) -> x`, independent draws for other numbers.
      passes: forward passes of one draw of one row.
      truth, shown: `[M, L]` complete test rows, and what is given of them; both in the
        units of `draw`.
      hidden: `[M, L]` bool, cells that are judged.
    """

    draw: RowMap
    passes: int
    truth: np.ndarray
    shown: np.ndarray
    hidden: np.ndarray

    @property
    def row_passes(self) -> int:
        """See `suite.Evaluator`."""
        return NUM_DRAWS * len(self.truth) * self.passes

    def __call__(self, params: Params, key: RootKey) -> Figures:
        shown, hidden = self.shown, self.hidden
        draws = np.stack([
            self.draw(params, key, shown, np.full(len(shown), number, np.uint32))
            for number in range(NUM_DRAWS)
        ])  # fmt: skip
        inside = covered(draws, self.truth, np.random.default_rng(0)) & hidden
        yield from estimate.ratio(
            "test_coverage_90", inside.sum(axis=1).astype(float),
            hidden.sum(axis=1).astype(float),
        )  # fmt: skip
