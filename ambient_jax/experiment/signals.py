"""SIGTERM and Ctrl-C ask the run to save and stop; a second one stops it at once."""

import signal
import sys
from types import FrameType


class StopRequest:
    """Context manager that turns the first signal into a flag.

    Attributes:
      number: the signal that came, None while there is none.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopRequest":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.number is not None:
            sys.exit(128 + number)
        self.number = number
        name = signal.Signals(number).name
        print(f"{name}: saving, then stopping (again to stop at once)", file=sys.stderr)
