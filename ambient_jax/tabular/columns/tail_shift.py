"""How a column's outermost tokens are told beyond the range that was observed."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False, kw_only=True)
class Ends:
    """What becomes of the values of the lowest and of the highest token, see `Reach`.

    Attributes:
      moves: `[..., 2]` how far they go outwards, in the column's units; not negative.
      stretch: `[..., 2]` their distances from the token's mean are multiplied by it;
        1 at least.
    """

    moves: np.ndarray
    stretch: np.ndarray

    def __getitem__(self, where: Any) -> "Ends":
        return Ends(moves=self.moves[where], stretch=self.stretch[where])

    def keep(self, column: int, room: np.ndarray, gaps: np.ndarray) -> None:
        """Puts a column of `[N, L, 2]` `within` its room, in place."""
        kept = within(self.moves[:, column], self.stretch[:, column], room, gaps)
        self.moves[:, column], self.stretch[:, column] = kept.moves, kept.stretch


STILL = Ends(moves=np.zeros((1, 2)), stretch=np.ones((1, 2)))
"""The outermost tokens as they were observed."""


def within(
    moves: np.ndarray, stretch: np.ndarray, room: np.ndarray, gaps: np.ndarray
) -> Ends:
    """The same `[..., 2]` as far as there is room.

    Args:
      room: `[2]` how far the outermost value may go.
      gaps: `[2, 2]` from the mean of each token to its inner and to its outer end. The
        inner end may come back to where it was, but no further: cells do not overlap.
    """
    room = np.maximum(room, 0.0)
    moves = np.minimum(moves, room)
    inner, outer = np.maximum(gaps, np.finfo(float).tiny).T
    with np.errstate(over="ignore"):
        most = 1 + np.minimum(moves / inner, (room - moves) / outer)
    return Ends(moves=moves, stretch=np.clip(stretch, 1.0, most))
