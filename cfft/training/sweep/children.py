"""The processes that the runs of a sweep are, and that they end with it.

The sweep holds an end of a pipe to each. It closes however the sweep ends, also by SIGKILL, and the
run takes that for a SIGTERM.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from threading import Lock, Thread
from typing import IO

from cfft.runtime.interrupts import Terminated


class Children:
    """Start processes, from any thread, until all are told to end."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []
        self._ending = False
        self._lock = Lock()  # none is started unseen while the others are told to end

    def start(self, command: Sequence[str], log: IO[str]) -> subprocess.Popen[bytes]:
        """Start a process that writes to `log`; raises Terminated where all are told to end."""
        with self._lock:
            if self._ending:
                raise Terminated
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, bufsize=0
            )
            self._started.append(process)
        return process

    def end(self) -> None:
        """Send SIGTERM to those that run; no other one starts after it."""
        with self._lock:
            self._ending = True
            for process in self._started:
                process.terminate()


def end_with_sweep() -> None:
    """Send this process SIGTERM once the sweep that started it has ended."""
    Thread(target=_await_end, daemon=True).start()


def _await_end() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
