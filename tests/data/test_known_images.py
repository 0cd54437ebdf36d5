"""What an earlier check found is remembered as long as nothing has changed, and never wrong."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cfft.data import check, file_states
from cfft.data.check import check_suite, find_unreadable
from cfft.data.images import ImageFiles, class_folders
from cfft.data.suite import SuiteSets
from cfft.errors import DataError

Checked = Callable[[], dict[str, str]]


@pytest.fixture
def decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are decoded from here on; none counts as just written."""
    names: list[str] = []
    look = check.image_fault

    def counting(path: Path) -> str | None:
        names.append(path.name)
        return look(path)

    monkeypatch.setattr(check, "image_fault", counting)
    monkeypatch.setattr(file_states, "_UNSETTLED", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return names


@pytest.fixture
def pets(tmp_path: Path) -> ImageFiles:
    """Return two cats and a dog."""
    for file in ("cat/a.png", "cat/b.png", "dog/c.png"):
        path = tmp_path / "pets" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3)).save(path)
    return class_folders(tmp_path / "pets", "pets")


def contents(pets: ImageFiles) -> dict[str, str]:
    return dict(check_suite(SuiteSets(("cat", "dog"), pets, pets, pets)).contents)


def memory(tmp_path: Path) -> Path:
    (file,) = (tmp_path / "cache" / "cfft" / "checked").iterdir()
    return file


def test_unchanged_images_are_not_decoded_again(pets: ImageFiles, decoded: list[str]) -> None:
    first = contents(pets)
    decoded.clear()

    assert contents(pets) == first
    assert decoded == []


def test_sets_below_other_roots_are_remembered_beside_each_other(
    pets: ImageFiles, tmp_path: Path, decoded: list[str]
) -> None:
    (tmp_path / "more" / "cat").mkdir(parents=True)
    Image.new("RGB", (4, 3), "red").save(tmp_path / "more" / "cat" / "d.png")
    more = class_folders(tmp_path / "more", "more", ["cat"])
    find_unreadable([pets, more])
    decoded.clear()

    find_unreadable([more])
    find_unreadable([pets])

    assert decoded == []


def test_a_file_of_another_size_is_decoded_again(pets: ImageFiles, decoded: list[str]) -> None:
    first = contents(pets)
    Image.new("RGB", (9, 7), "red").save(pets.root / "cat" / "b.png")
    decoded.clear()

    assert contents(pets) != first
    assert decoded == ["b.png"]


def test_damage_of_the_same_size_is_found_even_where_its_time_is_set_back(
    pets: ImageFiles, decoded: list[str]
) -> None:
    contents(pets)
    path = pets.root / "cat" / "b.png"
    before = path.stat()
    path.write_bytes(b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(DataError, match=r"cat/b\.png: no image in a format that Pillow knows"):
        contents(pets)


def test_a_file_that_was_touched_is_decoded_again(pets: ImageFiles, decoded: list[str]) -> None:
    contents(pets)
    os.utime(pets.root / "dog" / "c.png", ns=(1, 1))
    decoded.clear()

    contents(pets)

    assert decoded == ["c.png"]


def test_unreadable_images_are_looked_at_each_time(pets: ImageFiles, decoded: list[str]) -> None:
    (pets.root / "cat" / "b.png").write_bytes(b"no image")
    first = find_unreadable([pets])
    decoded.clear()

    assert [each.record() for each in find_unreadable([pets])] == [first[0].record()]
    assert decoded == ["b.png"]


def test_other_bounds_are_another_question(
    pets: ImageFiles, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (40, 1)).save(pets.root / "cat" / "b.png")
    contents(pets)
    monkeypatch.setenv("CFFT_MAX_SIDE_RATIO", "10")

    with pytest.raises(DataError, match="one side is over 10 times the other"):
        contents(pets)


@pytest.mark.parametrize("damage", [b"", b"x" * 200])
def test_a_damaged_memory_is_made_again(
    pets: ImageFiles, tmp_path: Path, decoded: list[str], damage: bytes
) -> None:
    first = contents(pets)
    memory(tmp_path).write_bytes(damage)
    decoded.clear()

    assert (contents(pets), sorted(decoded)) == (first, ["a.png", "b.png", "c.png"])
    decoded.clear()
    assert (contents(pets), decoded) == (first, [])


def test_a_flipped_bit_in_the_memory_is_noticed(
    pets: ImageFiles, tmp_path: Path, decoded: list[str]
) -> None:
    first = contents(pets)
    content = bytearray(memory(tmp_path).read_bytes())
    content[-1] ^= 1
    memory(tmp_path).write_bytes(content)

    assert contents(pets) == first


def test_a_cache_that_cannot_be_written_changes_nothing(
    pets: ImageFiles, tmp_path: Path, decoded: list[str]
) -> None:
    (tmp_path / "cache").write_text("a file where the folder would be")

    assert contents(pets) == contents(pets)
    assert len(decoded) == 6


def test_files_that_were_just_written_are_not_taken_for_granted(
    pets: ImageFiles, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_states, "_UNSETTLED", 3_600_000_000_000)

    find_unreadable([pets])
    find_unreadable([pets])

    assert len(decoded) == 6


def test_what_nobody_used_for_long_is_removed(
    pets: ImageFiles, tmp_path: Path, decoded: list[str]
) -> None:
    find_unreadable([pets])
    old = memory(tmp_path).with_name("old")
    old.write_bytes(b"")
    os.utime(old, (time.time() - 100 * 86400,) * 2)
    os.utime(pets.root / "dog" / "c.png", ns=(1, 1))

    find_unreadable([pets])

    assert not old.exists()
