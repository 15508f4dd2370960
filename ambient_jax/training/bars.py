"""Progress bars on standard error."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


class TerminalBar:
    """A progress bar with the time left and the latest metrics (`hooks.Bar`).

    It is silent where standard error is no terminal, unless `always`.
    """

    def __init__(self, label: str, total: int, done: int, always: bool = False):
        self._bar = tqdm(
            desc=label,
            total=total,
            initial=done,
            leave=False,
            dynamic_ncols=True,
            file=sys.stderr,
            disable=not (always or sys.stderr.isatty()),
        )

    def update(self, done: int, figures: Mapping[str, float] | None = None) -> None:
        shown = {k: f"{v:.4g}" for k, v in (figures or {}).items() if v}
        if shown:
            self._bar.set_postfix(shown, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        self._bar.close()


@dataclass(frozen=True)
class PartOfBar:
    """A phase that moves a bar over several phases (`hooks.Bar`).

    Attributes:
      whole: the bar.
      before: where on the bar the phase begins.
    """

    whole: TerminalBar
    before: int

    def update(self, done: int, figures: Mapping[str, float] | None = None) -> None:
        self.whole.update(self.before + done, figures)

    def close(self) -> None: ...


@dataclass(kw_only=True)
class BarOverRounds:
    """One bar over all rounds of a training, which tells the time left.

    Attributes:
      label, rounds: of the bar; the number of rounds.
    """

    label: str
    rounds: int
    _bar: TerminalBar | None = None

    def part(self, round_: int, total: int, done: int) -> PartOfBar:
        """Returns the part of a round of `total` steps, of which some are done."""
        before = round_ * total
        if self._bar is None:
            self._bar = TerminalBar(
                self.label, self.rounds * total, before + done, always=True
            )
        return PartOfBar(self._bar, before)

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.close()


def watched(items: Sequence[T]) -> Iterable[T]:
    """Yields the items behind a progress bar, where standard error is a terminal."""
    hidden = not sys.stderr.isatty()
    return tqdm(
        items, "final figures", leave=False, dynamic_ncols=True, file=sys.stderr,
        disable=hidden,
    )  # fmt: skip
