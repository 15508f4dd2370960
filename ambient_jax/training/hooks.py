"""Callbacks of the training loop: logging, evaluation, saving, stopping, bars."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from ambient_jax.training.progress import Progress


class Interrupted(Exception):
    """The run was asked to stop; everything is saved."""


@runtime_checkable
class Hooks(Protocol):
    """What the training loop calls. `Quiet` does nothing."""

    def log(self, round_: int, step: int, metrics: Mapping[str, float]) -> None:
        """Records metrics."""
        ...

    def evaluate(self, progress: Progress) -> None:
        """Evaluates the model after the M-step of a round; may change `position`.

        Raises:
          Interrupted: the run shall stop. Nothing has been logged; the progress
            is saved then, and the evaluation starts anew when the run goes on.
        """
        ...

    def save(self, progress: Progress) -> None:
        """Saves the progress: at the end of each round, and before a stop."""
        ...

    def interrupted(self) -> bool:
        """Whether the run shall stop at the next opportunity."""
        ...

    def bar(self, phase: str, round_: int, total: int, done: int) -> "Bar":
        """Returns a progress bar of one phase, `done` of `total` being done."""
        ...


@runtime_checkable
class Bar(Protocol):
    """A progress bar of one phase."""

    def update(self, done: int, figures: Mapping[str, float] = ...) -> None:
        """Moves the bar to `done`, and shows the metrics that are given."""
        ...

    def close(self) -> None:
        """Removes the bar."""
        ...


class Quiet:
    """Hooks that do nothing: for notebooks and tests."""

    def log(self, round_, step, metrics): ...

    def evaluate(self, progress): ...

    def save(self, progress): ...

    def interrupted(self) -> bool:
        return False

    def bar(self, phase, round_, total, done) -> Bar:
        return _NoBar()


class _NoBar:
    def update(self, done, figures=()): ...

    def close(self): ...
