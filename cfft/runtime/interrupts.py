"""Ctrl-C and SIGTERM: a request to stop that a loop checks between steps, or an immediate exit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import attrs


class Terminated(SystemExit):
    """End the process with 143, as SIGTERM does by default."""

    def __init__(self) -> None:
        super().__init__(143)


@attrs.define
class StopWish:
    """Remember whether the run was asked to stop."""

    asked: bool = False

    def hear(self, _number: int, _frame: FrameType | None) -> None:
        """Take a signal; a second one raises KeyboardInterrupt at once."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def listening() -> Iterator[StopWish]:
    """Listen for SIGINT and SIGTERM inside the block, in the main thread; restore both after it.

    Processes forked inside it listen too: Ctrl-C reaches all of a terminal's processes, and those
    that decode images are needed until the step ends.
    """
    wish = StopWish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, wish.hear)
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
