"""`cfft doctor`: what it finds, what it warns of, and when it ends with 2."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import Distribution, version
from pathlib import Path
from typing import Any

import pytest

from cfft.training import doctor

Command = Callable[..., Any]
Install = Callable[..., Distribution]


def test_a_machine_that_can_run_ends_with_0_and_json_says_what_it_has(
    cfft_command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    ended = cfft_command("doctor", "--json")
    found = json.loads(ended.out)

    assert (ended.code, found["problems"]) == (0, [])
    (torch,) = (library for library in found["libraries"] if library["name"] == "torch")
    assert (torch["found"], torch["fits"], torch["extra"]) == (version("torch"), True, "")
    assert found["computing"]["kind"] in ("cpu", "cuda")
    assert found["processors"] >= 1
    assert found["memory"]["total"] >= found["memory"]["available"] > 0
    assert found["folders"][1]["path"] == str(tmp_path / "cfft")
    assert found["variables"]["XDG_CACHE_HOME"] == str(tmp_path)
    assert ("masks", None) in [(plugin["name"], plugin["error"]) for plugin in found["plugins"]]
    assert list(tmp_path.iterdir()) == []


def test_a_strangers_broken_plugin_is_named_and_stops_nothing(
    cfft_command: Command, install: Install
) -> None:
    install("broken-on-disk", "import no_such_module", "3.1")

    ended = cfft_command("doctor")

    assert ended.code == 0
    assert "1 plug-in with 0 strategies; broken: broken_on_disk_plugin" in ended.out
    assert "warning: plug-in broken_on_disk_plugin (broken-on-disk 3.1) cannot be used" in ended.out
    assert "Nothing would stop a run." in ended.out


def test_a_cache_that_cannot_be_written_ends_with_2_and_says_what_to_set(
    cfft_command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    ended = cfft_command("doctor", "--json")

    (problem,) = json.loads(ended.out)["problems"]
    assert problem == (
        f"cfft's cache: nothing can be written ({tmp_path / 'file'} is a file): set XDG_CACHE_HOME"
    )
    assert (ended.code, ended.err) == (2, f"error: {problem}\n")


def test_packages_that_are_missing_or_too_old_are_named_with_what_to_install(
    cfft_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = ["no-such-package>=2", "rich>=999", "not-there>=1; extra == 'more'"]
    monkeypatch.setattr(doctor, "requires", lambda _: needed)

    ended = cfft_command("doctor")

    assert ended.code == 2
    assert ended.err == (
        "error: no-such-package is not installed, and cfft needs it: "
        "pip install 'no-such-package>=2'\n"
    )
    said = f"warning: rich is {version('rich')}, and cfft was written for >=999: pip install"
    assert said in ended.out
    assert "extra more" in ended.out


def test_a_module_that_cannot_be_imported_is_a_problem(
    cfft_command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "torn_library.py").write_text("raise OSError('libtorn.so: undefined symbol')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(doctor, "_NEEDED", ("torn_library", "and_no_other"))

    ended = cfft_command("doctor")

    assert ended.code == 2
    assert ended.err == (
        "error: torn_library cannot be imported: OSError: libtorn.so: undefined symbol: install it "
        "anew\n"
    )
