"""Patterns in names and paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfft.runtime.patterns import is_called, paths_called


@pytest.mark.parametrize("pattern", ["vanilla*", "runs/?", "[vx]anilla 1", "odd [1]"])
def test_one_of_several_names_has_to_match(pattern: str) -> None:
    assert is_called(pattern, ("vanilla 1", "runs/a", "odd [1]"))


@pytest.mark.parametrize("pattern", ["Vanilla*", "vanilla", "*x"])
def test_case_counts_and_so_does_the_whole_name(pattern: str) -> None:
    assert not is_called(pattern, ("vanilla 1", "runs/a"))


def test_a_path_that_exists_is_no_pattern(tmp_path: Path) -> None:
    for name in ("a[b]", "ab"):
        (tmp_path / name).mkdir()

    assert paths_called(f"{tmp_path}/a[b]") == [tmp_path / "a[b]"]
    assert paths_called(f"{tmp_path}/?[b]") == [tmp_path / "ab"]


def test_paths_that_match_are_sorted_and_found_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("b/c/1.png", "2.png", "0.txt"):
        (tmp_path / name).touch()

    assert paths_called(f"{tmp_path}/**/*.png") == [tmp_path / "2.png", tmp_path / "b/c/1.png"]
    assert paths_called(f"{tmp_path}/x*") == []
