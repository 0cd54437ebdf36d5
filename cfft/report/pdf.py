"""The page as PDF, printed by a Chromium: nothing else runs the code that draws its charts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from cfft.errors import ConfigError

PDF = "report.pdf"
_CHROMIUMS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("chrome", "microsoft-edge"),
)
_ROOM = {"width": 1032, "height": 700}  # of an A4 page on its side, within its margins
_MARGINS = dict.fromkeys(("top", "right", "bottom", "left"), "12mm")
_LONGEST = 600_000  # milliseconds: a page of many configurations has hundreds of charts
_ARGUMENTS = ("--disable-gpu", "--disable-background-networking", "--no-first-run")


def require_browser() -> None:
    """Raise ConfigError where there is nothing to print with, before anything else is done."""
    with _playwright() as playwright:
        if _browser(playwright) is None:
            raise ConfigError(
                "--pdf needs a Chromium: give it one with playwright install chromium, or put "
                "chromium or google-chrome on the PATH"
            )


def write_pdf(page: Path, out: Path) -> None:
    """Print a page of `write_report` to `out`, with the panels of all charts.

    The page asks for nothing but itself. Raises ConfigError where the browser cannot do it.
    """
    with _playwright() as playwright:
        from playwright.sync_api import Error

        try:
            _print(playwright, page, out)
        except Error as error:
            why = error.message.splitlines()[0]
            raise ConfigError(f"--pdf: Chromium could not print {page}: {why}") from error


def _playwright() -> Any:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise ConfigError("--pdf needs the package playwright: pip install 'cfft[pdf]'") from error
    return sync_playwright()


def _browser(playwright: Any) -> str | None:
    """Return the Chromium of playwright if it is installed, else one on the PATH."""
    own = str(playwright.chromium.executable_path)
    found = filter(None, map(shutil.which, _CHROMIUMS))
    return own if Path(own).is_file() else next(found, None)


def _print(playwright: Any, page: Path, out: Path) -> None:
    browser = playwright.chromium.launch(
        executable_path=_browser(playwright), args=list(_ARGUMENTS), timeout=_LONGEST
    )
    try:
        opened = browser.new_page(viewport=_ROOM, color_scheme="light")
        opened.set_default_timeout(_LONGEST)
        opened.emulate_media(media="print")
        opened.goto(f"{page.absolute().as_uri()}#print")
        opened.wait_for_selector("html[data-printed]", state="attached")
        opened.pdf(
            path=str(out), format="A4", landscape=True, margin=_MARGINS, print_background=True
        )
    finally:
        browser.close()
