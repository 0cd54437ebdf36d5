"""Memory within control groups, and folders that can be written to or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfft.runtime.machine import folder_state, free_disk, in_bytes, memory


def in_group(tmp_path: Path, place: str, limit: str, used: str, stat: str) -> tuple[Path, Path]:
    """Write a control group of either version with a limit of its memory."""
    second = limit.isdigit() and place == "job"
    names = (
        ("memory.max", "memory.current")
        if second
        else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    )
    folder = tmp_path / "groups" / place
    folder.mkdir(parents=True)
    for name, text in zip((*names, "memory.stat"), (limit, used, stat), strict=True):
        (folder / name).write_text(text)
    own = tmp_path / "own"
    own.write_text("0::/job\n" if second else "7:memory:/old\n")
    return tmp_path / "groups", own


def test_a_control_group_bounds_memory_and_cached_files_count_as_free(tmp_path: Path) -> None:
    groups, own = in_group(tmp_path, "job", "1000000", "700000", "anon 1\ninactive_file 200000\n")

    found = memory(groups, own)

    assert (found.total, found.available) == (1_000_000, 500_000)


def test_a_control_group_of_the_first_version_bounds_memory_too(tmp_path: Path) -> None:
    stat = "inactive_file 1\ntotal_inactive_file 100000\n"
    groups, own = in_group(tmp_path, "memory/old", "1000000", "700000", stat)

    found = memory(groups, own)

    assert (found.total, found.available) == (1_000_000, 400_000)


def test_without_a_limit_the_memory_is_the_machines(tmp_path: Path) -> None:
    groups, own = in_group(tmp_path, "memory/old", "max", "700000", "")

    found = memory(groups, own)

    assert found.total > 10**8
    assert 0 < found.available <= found.total


def test_a_folder_that_is_not_there_is_judged_by_the_one_above_and_not_made(tmp_path: Path) -> None:
    state = folder_state("runs", tmp_path / "a" / "b", counted=True)

    assert (state.problem, state.stored) == (None, 0)
    assert state.free == pytest.approx(free_disk(tmp_path), rel=0.1)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_beneath_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    state = folder_state("cache", tmp_path / "file" / "cache")

    assert state.problem == f"{tmp_path / 'file'} is a file"


def test_the_files_of_a_cache_are_added_up_and_links_not_followed(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "one").write_bytes(b"x" * 1000)
    (tmp_path / "snapshot").symlink_to("blobs/one")

    state = folder_state("cache", tmp_path, counted=True)

    assert state.stored == 1000 + len("blobs/one")


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (999_900, "1 MB"), (25.3e9, "25.3 GB")],
)
def test_bytes_are_spelled_in_powers_of_a_thousand(count: float, expected: str) -> None:
    assert in_bytes(count) == expected
