"""One writer at a time in an output directory, whoever started it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import attrs
from filelock import FileLock, Timeout

from cfft.errors import ConfigError
from cfft.runtime.files import LOCK, OWNER, made_directories
from cfft.runtime.json_files import read_json, write_json

_MOMENT = 0.2
_WORKERS_END = 10.0
"""Seconds: to take a lock that is just given back; until the workers of a dead process have gone.

Forked workers hold the lock of their parent, and notice its end within a few seconds.
"""


@attrs.frozen
class Owner:
    """Say which process writes to a directory: its number on `host`, since when."""

    pid: int
    host: str
    since: str

    @classmethod
    def this_process(cls) -> Owner:
        """Describe the process that asks."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(os.getpid(), socket.gethostname(), now)

    @property
    def has_ended(self) -> bool:
        """Tell whether the process is known to have ended; of another machine nothing is known."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # another user's
            return False
        return False


@contextmanager
def held(directory: Path, name: str | None = None) -> Iterator[None]:
    """Make a directory where need be, and keep every other process from writing to it.

    The lock ends with the process, however that ends. After the block a directory that was made and
    is empty is removed. Raises ConfigError, which names the owner, where another process has it.
    `name`: what it calls the directory, by default --out with its path.
    """
    made = made_directories(directory)
    lock = FileLock(directory / LOCK)
    try:
        _take(lock, directory, name or f"--out {directory}")
        try:
            write_json(directory / OWNER, Owner.this_process())
            yield
        finally:
            for name in (OWNER, LOCK):  # nobody can hold a file that is unlinked while it is held
                with suppress(OSError):
                    (directory / name).unlink(missing_ok=True)
            lock.release()
    finally:
        with suppress(OSError):  # what is not empty stays
            for path in reversed(made):
                path.rmdir()


def is_held(directory: Path) -> bool:
    """Tell whether a process, this one included, writes to a directory."""
    if not (directory / LOCK).exists():
        return False
    try:
        with FileLock(directory / LOCK, timeout=_MOMENT):  # others may be asking, too
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):  # another user's, or of a file system that has no locks
        owner = _owner(directory)
        return owner is not None and not owner.has_ended


def check_unheld(path: Path) -> None:
    """Raise ConfigError, which names the owner, where a process writes to `path` or around it.

    A file in a directory above might get a name that this process is about to use.
    """
    real = Path(os.path.realpath(path))
    for directory in (real, *real.parents):
        if is_held(directory):
            raise _in_use(f"--out {path}{'' if directory == real else f': {directory}'}", directory)


def _take(lock: FileLock, directory: Path, name: str) -> None:
    owner = _owner(directory)
    try:
        lock.acquire(timeout=_WORKERS_END if owner is not None and owner.has_ended else _MOMENT)
    except Timeout:
        raise _in_use(name, directory) from None


def _in_use(what: str, directory: Path) -> ConfigError:
    owner = _owner(directory)  # the first one may have ended meanwhile
    who = "" if owner is None else f" {owner.pid} on {owner.host} (since {owner.since})"
    return ConfigError(
        f"{what} is in use by process{who or ' of another user or machine'}: wait "
        "until it has ended, or give another directory"
    )


def _owner(directory: Path) -> Owner | None:
    with suppress(ConfigError):
        return read_json(directory / OWNER, Owner, "owner", ConfigError)
    return None
