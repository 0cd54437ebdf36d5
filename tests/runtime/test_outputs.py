"""New output is complete or absent, and takes the place of nothing that others made."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cfft.errors import ConfigError
from cfft.runtime.locks import held
from cfft.runtime.outputs import adding, appearing

SAID = "meanwhile: see {}".format
KILLED = """
import os, sys
from pathlib import Path
from cfft.runtime.outputs import appearing
with appearing(Path(sys.argv[1]), str) as folder:
    (folder / "half").touch()
    os._exit(9)
"""


def fill(folder: Path, text: str) -> None:
    (folder / "file.txt").write_text(text)


def write(out: Path, text: str) -> None:
    with appearing(out, SAID) as folder:
        fill(folder, text)


def write_half(out: Path) -> None:
    with appearing(out, SAID) as folder:
        fill(folder, "half")
        raise ConfigError("bad")


def write_late(out: Path) -> None:
    with appearing(out, SAID) as folder:
        fill(folder, "late")
        fill(out, "early")


def write_on_a_full_disk(out: Path, named: bool) -> None:
    with appearing(out, SAID) as folder:
        name = str(folder / "file.txt") if named else None
        raise OSError(errno.ENOSPC, "No space left on device", name)


def add(path: Path, text: str) -> None:
    with adding(path, SAID) as partial:
        partial.write_text(text)


def add_late(path: Path) -> None:
    with adding(path, SAID) as partial:
        partial.write_text("late")
        path.write_text("early")


def leave_half(out: Path) -> None:
    """End a process without a word while it fills a directory."""
    ended = subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False)
    assert ended.returncode == 9
    assert len(list(out.parent.glob(f".{out.name}.*.partial"))) == 1


def test_a_directory_appears_when_it_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"

    with appearing(out, SAID) as folder:
        fill(folder, "whole")
        assert not (out / "file.txt").exists()

    assert (out / "file.txt").read_text() == "whole"
    assert list(out.parent.iterdir()) == [out]
    assert list(out.iterdir()) == [out / "file.txt"]


def test_of_a_directory_that_fails_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bad"):
        write_half(tmp_path / "new" / "out")

    assert not list(tmp_path.iterdir())


def test_a_directory_that_holds_something_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, "here")

    with pytest.raises(ConfigError, match="is not empty"):
        write(tmp_path, "mine")


def test_the_second_that_fills_a_directory_is_told_at_once(tmp_path: Path) -> None:
    with appearing(tmp_path / "out", SAID) as folder:
        fill(folder, "first")
        with pytest.raises(ConfigError, match=f"out is in use by process {os.getpid()} "):
            write(tmp_path / "out", "second")

    assert (tmp_path / "out" / "file.txt").read_text() == "first"
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_a_directory_whose_place_was_taken_meanwhile_is_kept_beside_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"out was taken meanwhile: see .*/out-2"):
        write_late(tmp_path / "out")

    assert (tmp_path / "out" / "file.txt").read_text() == "early"
    assert (tmp_path / "out-2" / "file.txt").read_text() == "late"
    assert {path.name for path in tmp_path.iterdir()} == {"out", "out-2"}


@pytest.mark.parametrize("named", [False, True])
def test_an_error_of_the_disk_names_the_directory_that_was_asked_for(
    tmp_path: Path, named: bool
) -> None:
    with pytest.raises(OSError, match="No space left") as error:
        write_on_a_full_disk(tmp_path / "out", named)

    assert error.value.filename == str(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_all_of_a_directory_is_on_the_disk_before_it_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed, out, sync = [], tmp_path / "out", os.fsync

    def noting(descriptor: int) -> None:
        sync(descriptor)
        if not (out / "deep").exists():
            flushed.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)

    monkeypatch.setattr(os, "fsync", noting)
    with appearing(out, SAID) as folder:
        (folder / "deep").mkdir()
        fill(folder / "deep", "whole")

    assert {"out", "deep", "file.txt"} <= set(flushed)


def test_what_a_killed_process_left_of_a_directory_is_gone_with_the_next_one(
    tmp_path: Path,
) -> None:
    leave_half(tmp_path / "out")
    leave_half(tmp_path / "other")

    write(tmp_path / "out", "whole")

    assert {path.name for path in tmp_path.iterdir()} == {"out", "other"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["file.txt"]


def test_what_a_killed_process_left_in_a_directory_keeps_nobody_out(tmp_path: Path) -> None:
    leave_half(tmp_path / "inner")
    (tmp_path / "inner" / ".cfft.lock").unlink()
    (tmp_path / "inner" / ".cfft.owner.json").unlink()
    (tmp_path / "inner").rmdir()

    write(tmp_path, "whole")

    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_directory_that_is_being_filled_is_left_alone(tmp_path: Path) -> None:
    with appearing(tmp_path / "one", SAID) as folder:
        fill(folder, "one")
        write(tmp_path / "other", "other")

    assert (tmp_path / "one" / "file.txt").read_text() == "one"


@pytest.mark.parametrize("place", ["run/file.txt", "run/deep/file.txt"])
def test_no_file_is_added_where_another_process_writes(tmp_path: Path, place: str) -> None:
    said = rf"{place}: .*/run is in use by process {os.getpid()} "
    with held(tmp_path / "run"), pytest.raises(ConfigError, match=said):
        add(tmp_path / place, "mine")

    assert not list(tmp_path.iterdir())


def test_no_directory_is_added_where_another_process_writes(tmp_path: Path) -> None:
    said = f"run is in use by process {os.getpid()} "
    with held(tmp_path / "run"), pytest.raises(ConfigError, match=said):
        write(tmp_path / "run" / "out", "mine")


def test_a_file_whose_name_was_taken_meanwhile_is_kept_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a-2.csv").touch()

    with pytest.raises(ConfigError, match=r"a\.csv was taken meanwhile: see .*/a-3\.csv"):
        add_late(tmp_path / "a.csv")

    assert (tmp_path / "a.csv").read_text() == "early"
    assert (tmp_path / "a-3.csv").read_text() == "late"
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "a-2.csv", "a-3.csv"}
