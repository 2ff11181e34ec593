"""Ctrl-C, kept waiting until a step is whole: only between steps can a run be kept so that it goes on bit for bit."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Self

__all__ = ["Interruption"]


class Interruption:
    """A context in which the first Ctrl-C only sets ``waits``, and the second interrupts at once.

    It is in force where Ctrl-C would raise KeyboardInterrupt: in the main thread, and under Python's own handler. A
    program that handles Ctrl-C, or ignores it, goes on doing so. On leaving, an interruption that waits is raised.

    Parameters
    ----------
    wanted : False to leave Ctrl-C as it is.

    Attributes
    ----------
    waits : whether Ctrl-C was pressed.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self.waits = False
        self._wanted = wanted

    def __enter__(self) -> Self:
        in_main_thread = threading.current_thread() is threading.main_thread()
        if self._wanted and in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._wait)
        return self

    def __exit__(self, kind: type[BaseException] | None, *about: object) -> None:
        # Two bound methods of one object are equal, not identical.
        if signal.getsignal(signal.SIGINT) == self._wait:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.waits and (kind is None or not issubclass(kind, KeyboardInterrupt)):
            raise KeyboardInterrupt

    def _wait(self, number: int, frame: FrameType | None) -> None:
        self.waits = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
