"""How many processors this process may use: affinity and the quota of its control groups."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from cfft.runtime.control_groups import GROUPS, OWN_GROUP, group_directories

_MOST_WORKERS = 8
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def processors(groups: Path = GROUPS, own_group: Path = OWN_GROUP) -> int:
    """Return how many processors this process may keep busy, at least 1.

    The least of what its affinity allows (taskset, SLURM) and of the quotas of its control group
    and of those around it (containers, systemd), rounded up.
    """
    quotas = (math.ceil(quota) for quota in _quotas(groups, own_group))
    return max(1, min([_by_affinity(), *quotas]))


def default_workers() -> int:
    """Return how many processes decode images where nobody says it, for each process that trains.

    One for each processor, shared by the processes on this machine, and no more than 8.
    """
    beside = os.environ.get("LOCAL_WORLD_SIZE", "1")  # of torchrun and accelerate launch
    local = int(beside) if beside.isdigit() else 1
    return max(1, min(_MOST_WORKERS, processors() // max(1, local)))


def set_threads(environment: MutableMapping[str, str]) -> None:
    """Let the libraries below torch keep to the quota, and wait without using a processor.

    By themselves they start a thread for each processor of the affinity, whatever the quota, and a
    thread that waits for others spins: beside other work most of the time goes there. Has to come
    before torch is imported; what the user set stays.
    """
    if not any(name in environment for name in _THREADS) and processors() < _by_affinity():
        environment["OMP_NUM_THREADS"] = str(processors())
    if not any(name in environment for name in _WAITING):
        environment["OMP_WAIT_POLICY"] = "PASSIVE"


def _by_affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(groups: Path, own_group: Path) -> Iterator[float]:
    """Yield the quotas, in processors, of the control group and of those that hold it."""
    for directory in group_directories("cpu", groups, own_group):
        yield from _quota(directory)


def _quota(directory: Path) -> Iterator[float]:
    """Yield the quota of one group, of either version of control groups, if it has one."""
    try:
        if (directory / "cpu.max").is_file():
            quota, period = (directory / "cpu.max").read_text().split()
        else:
            quota = (directory / "cpu.cfs_quota_us").read_text().strip()
            period = (directory / "cpu.cfs_period_us").read_text().strip()
        if quota not in ("max", "-1"):
            yield int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return
