"""The control groups of this process (containers, systemd), of either version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")


def group_directories(controller: str, groups: Path, own_group: Path) -> Iterator[Path]:
    """Yield the directories of the group that `controller` (cpu, memory) holds, then outer ones.

    They need not exist. None on another system than Linux.
    """
    try:
        lines = own_group.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        yield from _upwards(groups / controllers if controllers else groups, place)


def _upwards(top: Path, place: str) -> Iterator[Path]:
    parts = [part for part in place.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        yield top.joinpath(*parts[:length])
