"""Ctrl-C and SIGTERM: a request to stop that a loop checks between steps, or an immediate exit."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import attrs

_AT_ONCE = 2.0  # seconds
_STOPPING = (signal.SIGINT, signal.SIGTERM)


class Terminated(SystemExit):
    """End the process with 143, as SIGTERM does by default."""

    def __init__(self) -> None:
        super().__init__(143)


@attrs.define
class StopWish:
    """Remember whether the run was asked to stop.

    SIGTERM to a process group may come twice, as launchers and sweeps pass on what they get: one
    that follows another at once counts for the same.
    """

    asked: bool = False
    _terminated_at: float = -_AT_ONCE

    def hear(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal; a second one raises KeyboardInterrupt at once."""
        now = time.monotonic()
        again = number == signal.SIGTERM and now - self._terminated_at < _AT_ONCE
        if number == signal.SIGTERM:
            self._terminated_at = now
        if self.asked and not again:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def held_back() -> Iterator[None]:
    """Hold back SIGINT and SIGTERM, so that processes forked inside the block begin without them.

    They come once the block is left, in those processes once they `obey`.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def obey(process: int) -> None:
    """End this process at a SIGTERM that `process` sends and at no other one, nor at Ctrl-C.

    Signals to a process group reach the processes that decode images too, and the main one needs
    them until its step ends. Where the sender of a signal cannot be told, SIGTERM is ignored.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not hasattr(signal, "sigwaitinfo"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        threading.Thread(target=_await, args=(process,), daemon=True).start()
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))


def _await(process: int) -> None:
    while signal.sigwaitinfo((signal.SIGTERM,)).si_pid != process:
        pass
    os._exit(0)


@contextmanager
def listening() -> Iterator[StopWish]:
    """Listen for SIGINT and SIGTERM inside the block, in the main thread; restore both after it.

    Processes forked inside it listen too, unless they `obey` the main one.
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
