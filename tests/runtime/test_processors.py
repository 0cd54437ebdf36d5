"""Processors that a process may use, and what the libraries below torch are told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cfft.runtime import processors as module
from cfft.runtime.processors import default_workers, processors, set_threads


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


def group(tmp_path: Path, line: str, **files: str) -> tuple[Path, Path]:
    """Write the control groups of a machine: its files by place, and the line of this process."""
    for place, text in files.items():
        file = tmp_path / "groups" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    own = tmp_path / "own"
    own.write_text(line)
    return tmp_path / "groups", own


@pytest.mark.parametrize(
    ("line", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 3),
        ("0::/\n", {"cpu.max": "1000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "6400000 100000\n"}, 16),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "400000 100000\n"}, 4),
        ("0::/a\n", {"a/cpu.max": "800000 100000", "cpu.max": "200000 100000"}, 2),
        ("0::/elsewhere\n", {"cpu.max": "200000 100000\n"}, 2),
        (
            "5:memory:/\n4:cpu,cpuacct:/job\n",
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "300000\n",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
                "memory/cpu.cfs_quota_us": "100000\n",
                "memory/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            "4:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            16,
        ),
        ("0::/\n", {"cpu.max": "nothing that is known\n"}, 16),
    ],
)
@pytest.mark.usefixtures("many")
def test_the_least_quota_of_the_groups_around_a_process_counts(
    line: str, files: dict[str, str], expected: int, tmp_path: Path
) -> None:
    assert processors(*group(tmp_path, line, **files)) == expected


@pytest.mark.usefixtures("many")
def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert processors(tmp_path / "none", tmp_path / "none either") == 16


@pytest.mark.parametrize(
    ("there", "local", "expected"),
    [(16, None, 8), (2, None, 2), (16, "4", 4), (2, "4", 1), (16, "x", 8), (16, "0", 8)],
)
def test_the_workers_of_a_machine_are_shared_by_its_processes(
    there: int, local: str | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "processors", lambda: there)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if local is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", local)

    assert default_workers() == expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, {"OMP_NUM_THREADS": "4", "OMP_WAIT_POLICY": "PASSIVE"}),
        ({"OMP_NUM_THREADS": "9"}, {"OMP_NUM_THREADS": "9", "OMP_WAIT_POLICY": "PASSIVE"}),
        ({"MKL_NUM_THREADS": "9"}, {"MKL_NUM_THREADS": "9", "OMP_WAIT_POLICY": "PASSIVE"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_NUM_THREADS": "4", "OMP_WAIT_POLICY": "ACTIVE"}),
        ({"GOMP_SPINCOUNT": "99"}, {"OMP_NUM_THREADS": "4", "GOMP_SPINCOUNT": "99"}),
    ],
)
@pytest.mark.usefixtures("many")
def test_threads_keep_to_the_quota_and_to_what_the_user_set(
    own: dict[str, str], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "processors", lambda: 4)

    set_threads(own)

    assert own == expected


@pytest.mark.usefixtures("many")
def test_without_a_quota_threads_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "processors", lambda: 16)
    environment: dict[str, str] = {}

    set_threads(environment)

    assert environment == {"OMP_WAIT_POLICY": "PASSIVE"}
