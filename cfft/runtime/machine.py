"""What a machine has to offer: memory, disks, and folders that can be written to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

import attrs

from cfft.runtime.control_groups import GROUPS, OWN_GROUP, group_folders

_LIMITS = {"memory.max": "memory.current", "memory.limit_in_bytes": "memory.usage_in_bytes"}
_CACHED = ("inactive_file ", "total_inactive_file ")
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


@attrs.frozen
class Memory:
    """Hold the memory that this process may use, and what is left of it, in bytes."""

    total: int
    available: int


@attrs.frozen
class FolderState:
    """Describe a folder that cfft writes to.

    `free`: bytes that the disk has left; where the folder is not there, that of the nearest one
    above it. `problem`: why nothing can be written, else None. `stored`: bytes in its files, None
    where nobody has counted.
    """

    purpose: str
    path: Path
    free: int | None
    problem: str | None
    stored: int | None = None


def memory(groups: Path = GROUPS, own_group: Path = OWN_GROUP) -> Memory:
    """Return the memory of the machine, or of the control group where that may use less."""
    import psutil  # a moment that --help does not need

    machine = psutil.virtual_memory()
    found = Memory(machine.total, machine.available)
    for directory in group_folders("memory", groups, own_group):
        for total, used in _limits(directory):
            left = max(0, total - used)
            found = Memory(min(found.total, total), min(found.available, left))
    return found


def free_disk(folder: Path) -> int | None:
    """Return the bytes that are free for this user where a folder is or would be made."""
    try:
        return shutil.disk_usage(nearest(folder)).free
    except OSError:
        return None


def folder_state(purpose: str, path: Path, *, counted: bool = False) -> FolderState:
    """Look at a folder, or where it would be made; nothing is left in it."""
    stored = _stored(path) if counted else None
    return FolderState(purpose, path, free_disk(path), _write_problem(path), stored)


def nearest(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    real = Path(os.path.realpath(folder))
    return next(place for place in (real, *real.parents) if place.exists())


def in_bytes(count: float) -> str:
    """Spell a number of bytes: 512 B, 1.5 GB; units are powers of 1000, as disks are sold."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.3g} {_UNITS[unit]}"


def _limits(directory: Path) -> Iterator[tuple[int, int]]:
    """Yield the limit of one control group and what counts of its use, if it has a limit.

    Pages of files that are read again from disk when memory is short do not count.
    """
    for limit, use in _LIMITS.items():
        try:
            total, used = (int((directory / name).read_text()) for name in (limit, use))
            lines = (directory / "memory.stat").read_text().splitlines()
        except (OSError, ValueError):  # no such group, or "max"
            continue
        pages = [int(line.split()[1]) for line in lines if line.startswith(_CACHED)]
        yield total, used - max(pages, default=0)


def _write_problem(folder: Path) -> str | None:
    """Say why no file can be made in a folder, or in the one that it would be made in."""
    place = nearest(folder)
    if not place.is_dir():
        return f"{place} is a file"
    try:
        with TemporaryFile(dir=place) as file:
            file.write(b"cfft")
    except OSError as error:
        return f"{place}: {error.strerror}"
    return None


def _stored(folder: Path) -> int:
    """Add up the files of a folder, each link for what it takes itself."""
    return sum(
        os.lstat(os.path.join(place, name)).st_size
        for place, _, names in os.walk(folder, onerror=None)
        for name in names
    )
