"""Signals that ask a long run to end, noted until the run can end without losing work."""

import signal
import threading
from typing import Any


class Stopped(SystemExit):
    """A run that was asked to end; its status is the shell's for the signal."""


class StopSignals:
    """A context manager that notes SIGTERM and the first Ctrl-C; a second Ctrl-C ends the process at once.

    Python delivers signals to the main thread only, so in other threads nothing is noted.

    Attributes:
        asked: the signal that asked the run to end; None if there was none.
    """

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked is signal.SIGINT and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number)
