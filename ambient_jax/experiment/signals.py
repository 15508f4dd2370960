"""SIGTERM and Ctrl-C ask the run to save and stop; a second one stops it at once.

Python runs a signal's handler in the main thread, and only between two of its own
instructions: never while that thread waits for the device or for the compiler. Here a
thread of its own reads the signals, from a pipe into which the interpreter writes their
numbers. Every file of a run appears whole or not at all, so that the process may end at
any moment.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

GRACE_S = 8.0
"""Seconds that the run has to notice the first signal, before the process ends without
saving what is newer than the last checkpoint. An answer within 10 s is promised."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Context manager that turns the first signal into a flag.

    It ends the process (exit code 128 + signal) at the second signal, at the first one
    while there is nothing to save, and where the flag has not been read for `GRACE_S`.
    It must be entered in the main thread.

    Attributes:
      number: the signal that came, None while there is none.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, object] = {}
        self._noticed = threading.Event()
        self._unsaved = False

    def __enter__(self) -> "StopRequest":
        read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._wakeup_before = signal.set_wakeup_fd(self._write)
        for number in SIGNALS:
            self._before[number] = signal.signal(number, lambda *_: None)
        self._thread = threading.Thread(target=self._watch, args=[read], daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._wakeup_before)
        self._noticed.set()
        os.close(self._write)  # the thread reads the end of the pipe
        self._thread.join()

    def interrupted(self) -> bool:
        """Whether a signal came. Whoever reads a True saves and stops."""
        if self.number is None:
            return False
        self._noticed.set()
        return True

    @contextlib.contextmanager
    def saving_first(self) -> Iterator[None]:
        """Inside, a first signal only sets the flag: there is progress to save."""
        self._unsaved = True
        try:
            yield
        finally:
            self._unsaved = False

    def _watch(self, read: int) -> None:
        while byte := os.read(read, 1):
            if byte[0] in SIGNALS:
                self._note(byte[0])
        os.close(read)

    def _note(self, number: int) -> None:
        if self.number is not None or not self._unsaved:
            _end(number, "stopped; the same command goes on from what is saved")
        self.number = number
        _say(number, "saving, then stopping (again to stop at once)")
        threading.Thread(target=self._wait, args=[number], daemon=True).start()

    def _wait(self, number: int) -> None:
        if not self._noticed.wait(GRACE_S):
            _end(number, "the device is busy; stopped without saving this round")


def _end(number: int, message: str) -> None:
    _say(number, message)
    os._exit(128 + number)


def _say(number: int, message: str) -> None:
    """Writes a line past the locks of `sys.stderr`, which another thread may hold."""
    os.write(2, f"{signal.Signals(number).name}: {message}\n".encode())
