"""States of image files: whether a file is the one that was read before, without reading it."""

from __future__ import annotations

import os
import time
from hashlib import blake2b

import attrs

STATE_BYTES = 16
_PATH_BYTES = 8
_UNSETTLED = 2_000_000_000  # ns: the coarsest time stamps of a file system, FAT's


@attrs.frozen
class FileState:
    """Identify a file by `path`, and its content by `state`; see `file_state`.

    `settled`: False for a file that was just written: it could be written again within the
    resolution of its times, and would seem to be the same.
    """

    path: int
    state: bytes
    settled: bool


def file_state(path: str, rules: str = "") -> FileState | None:
    """Return the state of a file: a hash of its path, its size and its times in nanoseconds.

    The times are those of the last change of its content and of its entry, which nobody sets back.
    `rules`: what else the answer depends on that is to be remembered. None for what is not there.
    """
    try:
        status = os.stat(path)
    except OSError:
        return None
    newest = max(status.st_mtime_ns, status.st_ctime_ns)
    facts = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\0{rules}"
    return FileState(
        path=path_key(path),
        state=blake2b(_encoded(facts), digest_size=STATE_BYTES).digest(),
        settled=newest < time.time_ns() - _UNSETTLED,
    )


def path_key(path: str) -> int:
    """Return a hash of a path, below 2**64."""
    return int.from_bytes(blake2b(_encoded(path), digest_size=_PATH_BYTES).digest(), "little")


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape")  # names of files need not be UTF-8
