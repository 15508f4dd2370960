"""What the outside does for the outer loop: log, evaluate, save, stop, show bars."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from ambient_jax.training.progress import Progress


@runtime_checkable
class Hooks(Protocol):
    """What the outside does for the loop. `Quiet` does nothing."""

    def log(self, round_: int, step: int, metrics: Mapping[str, float]) -> None: ...

    def evaluate(self, progress: Progress) -> None: ...

    def save(self, progress: Progress) -> None: ...

    def interrupted(self) -> bool: ...

    def bar(self, phase: str, round_: int, total: int, done: int) -> "Bar": ...


@runtime_checkable
class Bar(Protocol):
    """A progress bar of one phase."""

    def update(self, done: int, figures: Mapping[str, float] = ...) -> None: ...

    def close(self) -> None: ...


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
