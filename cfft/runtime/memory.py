"""How much memory this process may still take: that of the machine and of its control groups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from cfft.runtime.control_groups import GROUPS, OWN_GROUP, group_folders

_NAMES = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
_GIVEN_BACK = ("inactive_file", "active_file")  # pages of files, which Linux drops for others


def free_memory(groups: Path = GROUPS, own_group: Path = OWN_GROUP) -> int:
    """Return how many bytes are free, at least 0.

    The least of what the machine has and of what the limits leave of this process's control group
    and of those around it (containers, systemd, SLURM).
    """
    folders = group_folders("memory", groups, own_group)
    left = (free for folder in folders for free in _left(folder))
    return max(0, min([int(psutil.virtual_memory().available), *left]))


def _left(folder: Path) -> Iterator[int]:
    for limit, usage in _NAMES:
        with suppress(OSError, ValueError):  # no limit: max
            most, used = (int((folder / name).read_text()) for name in (limit, usage))
            yield most - used + _cached(folder)


def _cached(folder: Path) -> int:
    try:
        pairs = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return sum(int(pair[1]) for pair in pairs if pair[0] in _GIVEN_BACK)
    except (OSError, ValueError, IndexError):
        return 0
