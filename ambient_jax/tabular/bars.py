"""A progress bar over the rounds of `fit`, for `verbose=1`."""

import sys
from collections.abc import Mapping

from tqdm import tqdm


class RoundBar:
    """A `training.em.Bar`: rows or steps of one phase, with the time left."""

    def __init__(self, phase: str, round_: int, rounds: int, total: int, done: int):
        self._bar = tqdm(
            desc=f"fit: round {round_ + 1} of at most {rounds}, {phase}", total=total,
            initial=done, leave=False, file=sys.stderr,
        )  # fmt: skip

    def update(self, done: int, figures: Mapping[str, float] | None = None) -> None:
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        self._bar.close()
