"""Output overwrites nothing, and appears whole or not at all."""

from __future__ import annotations

import errno
from itertools import islice
from pathlib import Path

import pytest
from safetensors import SafetensorError

from cfft.errors import ConfigError
from cfft.runtime.documents import read_text_file
from cfft.runtime.files import (
    first_free,
    naming,
    numbered,
    replacing,
    reserved,
    with_home,
)


def fill(folder: Path, text: str) -> None:
    (folder / "file.txt").write_text(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_text_is_read_with_and_without_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_text("caf\u00e9", encoding)

    assert read_text_file(tmp_path / "a.txt") == "caf\u00e9"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le"])
def test_text_in_utf_16_is_said_to_be_so(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeff".encode(encoding) + "cat".encode(encoding))

    with pytest.raises(ValueError, match=r"^is UTF-16: save it as UTF-8$"):
        read_text_file(tmp_path / "a.txt")


def test_of_numbered_names_the_first_has_no_number() -> None:
    assert list(islice(numbered("v1.5"), 3)) == ["v1.5", "v1.5-2", "v1.5-3"]


def test_the_first_free_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sheet.png").touch()

    assert first_free("sheet", ".png") == Path("sheet-2.png")
    assert first_free("sheet") == Path("sheet")


def test_two_at_once_reserve_two_directories(tmp_path: Path) -> None:
    place = tmp_path / "made" / "folder"

    with reserved(place) as first, reserved(place) as second:
        assert (first, second) == (place, tmp_path / "made" / "folder-2")
        fill(first, "one")

    assert {path.name for path in place.parent.iterdir()} == {"folder"}


def test_a_directory_that_was_reserved_in_vain_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bad"), reserved(tmp_path / "made" / "folder"):
        raise ConfigError("bad")

    assert not list(tmp_path.iterdir())


def test_a_full_disk_that_safetensors_met_is_an_answer_of_the_system(tmp_path: Path) -> None:
    full = SafetensorError("I/O error: No space left on device (os error 28)")

    with pytest.raises(OSError, match="No space left") as error, naming(tmp_path / "out"):
        raise full

    assert (error.value.errno, error.value.filename) == (errno.ENOSPC, str(tmp_path / "out"))


def test_a_file_replaces_another_with_all_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"

    with replacing(path) as partial:
        partial.write_text("whole")
        assert not path.exists()

    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("~/runs", "/home/me/runs"),
        ("--out=~/runs", "--out=/home/me/runs"),
        ("local-dir:~/clip", "local-dir:/home/me/clip"),
        ("snow=~/a.tar; fog=~/b.tar", "snow=/home/me/a.tar; fog=/home/me/b.tar"),
        ("a~/b", "a~/b"),
        ("~", "~"),
        ("runs/~/b", "runs/~/b"),
    ],
)
def test_the_home_directory_is_found_where_a_path_may_begin(
    text: str, expanded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")

    assert with_home(text) == expanded
