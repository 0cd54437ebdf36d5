"""Plug-in distributions on disk, as an installer puts them there, and the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution
from pathlib import Path
from textwrap import dedent

import attrs
import pytest

from cfft.cli import main

Install = Callable[..., Distribution]


def write_distribution(folder: Path, name: str, source: str, version: str) -> Distribution:
    module = name.replace("-", "_")
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(dedent(source), "utf-8")
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[cfft]\n{module}_plugin = {module}\n")
    return Distribution.at(info)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return `install(name, source, version)`, which makes a plug-in importable and found."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def put(name: str, source: str, version: str = "1.0") -> Distribution:
        return write_distribution(site, name, source, version)

    yield put
    for module in site.glob("*.py"):
        sys.modules.pop(module.stem, None)


@attrs.frozen
class Outcome:
    """Hold how a command ended and what it wrote."""

    code: object
    out: str
    err: str


@pytest.fixture
def cfft_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Return `cfft_command(*words)`, which runs one command to its end."""
    monkeypatch.setenv("COLUMNS", "100")

    def command(*words: str) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main(words)
        written = capsys.readouterr()
        return Outcome(ended.value.code, written.out, written.err)

    return command
