"""The control groups around this process (Linux), where containers and systemd set limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")


def group_folders(
    controller: str, groups: Path = GROUPS, own_group: Path = OWN_GROUP
) -> Iterator[Path]:
    """Yield the folders of this process's control group and of those that hold it.

    `controller`: cpu or memory. Both versions of control groups; none on other systems than Linux.
    """
    try:
        lines = own_group.read_text().splitlines()
    except OSError:  # another system than Linux
        return
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = groups / controllers if controllers else groups
        parts = [part for part in place.split("/") if part not in ("", "..")]
        for length in range(len(parts), -1, -1):
            yield top.joinpath(*parts[:length])
