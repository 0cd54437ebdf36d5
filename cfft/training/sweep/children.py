"""The processes that the runs of a sweep are, and that they end with it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from threading import Lock
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
            process = subprocess.Popen(command, stdout=log, stderr=log)
            self._started.append(process)
        return process

    def end(self) -> None:
        """Send SIGTERM to those that run; no other one starts after it."""
        with self._lock:
            self._ending = True
            for process in self._started:
                process.terminate()
