"""Plug-in distributions on disk, as an installer puts them there, and the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution
from pathlib import Path
from textwrap import dedent

import attrs
import pytest
from hypothesis import settings

from cfft.cli import main
from cfft.errors import CfftError, PluginFailedError

# the same examples everywhere, however slow the machine; --hypothesis-profile=search draws others
settings.register_profile("cfft", derandomize=True, deadline=None, database=None, max_examples=25)
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile("cfft")

Install = Callable[..., Distribution]


def pytest_addoption(parser: pytest.Parser) -> None:
    told = "append each error that cfft produces, for tests/contracts/errors_page.py"
    parser.addoption("--record-errors", type=Path, metavar="FILE", help=told)


def pytest_configure(config: pytest.Config) -> None:
    file = config.getoption("--record-errors")
    if file is not None:
        for kind in (CfftError, PluginFailedError):
            record(kind, file)


def record(kind: type[Exception], file: Path) -> None:
    """Let the errors of a kind that cfft or a built-in makes append themselves to `file`."""
    make, seen = kind.__init__, set[str]()

    def recording(self: Exception, *given: str) -> None:
        make(self, *given)
        maker = sys._getframe(1).f_globals["__name__"]
        if maker.startswith("cfft") and (told := str(self)) not in seen:
            seen.add(told)
            with file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps([maker, told]) + "\n")

    kind.__init__ = recording  # type: ignore[method-assign]


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
