"""`cfft report --pdf`: what it needs, and what stands on paper."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cfft.errors import ConfigError
from cfft.report import pdf
from cfft.report.sources.collect import collect
from cfft.report.summary import summarise
from cfft.report.write import write_report

Command = Callable[..., Any]


def test_without_playwright_the_extra_is_named_before_anything_is_read(
    cfft_command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    monkeypatch.chdir(tmp_path)

    ended = cfft_command("report", "no-run", "--pdf", "--out", "out")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "error: --pdf needs the package playwright: pip install 'cfft[pdf]'\n"
    assert not list(tmp_path.iterdir())


@pytest.fixture
def playwright() -> Any:
    """Return what stands for playwright: a Chromium of its own that is not installed."""
    return type("Playwright", (), {"chromium": type("", (), {"executable_path": "/nowhere"})})


def test_a_chromium_on_the_path_prints_where_playwright_has_none(
    playwright: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "google-chrome"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert pdf._browser(playwright) == str(program)


def test_without_any_chromium_the_ways_to_one_are_named(
    playwright: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Started:
        def __enter__(self) -> Any:
            return playwright

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(pdf, "_playwright", Started)

    with pytest.raises(ConfigError, match="playwright install chromium, or put chromium or goog"):
        pdf.require_browser()


def test_a_browser_that_fails_is_named_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    api = pytest.importorskip("playwright.sync_api")

    def crashed(*_: object) -> None:
        raise api.Error("Target crashed\nCall log: ...")

    monkeypatch.setattr(pdf, "_playwright", contextlib.nullcontext)
    monkeypatch.setattr(pdf, "_print", crashed)

    with pytest.raises(ConfigError, match=r"could not print .*report\.html: Target crashed$"):
        pdf.write_pdf(tmp_path / "report.html", tmp_path / "report.pdf")


@pytest.mark.browser
@pytest.mark.skipif(not any(map(shutil.which, pdf._CHROMIUMS)), reason="no chromium on PATH")
def test_the_pdf_is_beside_the_page(sources: Any, tmp_path: Path) -> None:
    pytest.importorskip("playwright")

    write_report(
        summarise(collect(sources.patterns, sources.imports)), tmp_path / "out", with_pdf=True
    )

    content = (tmp_path / "out" / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.count(b"/Type /Page\n") > 4
