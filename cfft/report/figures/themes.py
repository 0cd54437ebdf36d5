"""The looks of figures: colours from the page's style sheet, or fixed ones in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'Liberation Sans', sans-serif"
_TICKS = 7
# seven of each beside eight colours: the pairs repeat after 56 series
SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
)
DASHES = ((1, 0), (7, 3), (2, 2), (10, 3, 2, 3), (4, 2), (12, 3), (7, 2, 2, 2, 2, 2))
SERIES = (
    "#1f5fa8",
    "#b3541e",
    "#2b7a3f",
    "#8a3f9e",
    "#b02a4c",
    "#00707a",
    "#6d5c16",
    "#59626b",
)


def _theme(ink: str, quiet: str, grid: str, series: Sequence[str], font: str) -> dict[str, Any]:
    words = {"labelColor": quiet, "titleColor": ink, "labelFont": font, "titleFont": font}
    return {
        "background": "transparent",
        "font": font,
        "view": {"stroke": None},
        "axis": {
            **words,
            "domainColor": grid,
            "gridColor": grid,
            "tickColor": grid,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titlePadding": 8,
        },
        "axisQuantitative": {"tickCount": _TICKS},
        "legend": {**words, "labelFontSize": 12, "labelColor": ink, "labelLimit": 320},
        "title": {"color": ink, "font": font, "fontSize": 13, "fontWeight": 600},
        "text": {"color": quiet, "font": font},
        "rule": {"color": quiet},
        "line": {"color": quiet},
        "rect": {"color": series[0]},
        "range": {"category": list(series), "symbol": list(SHAPES)},
    }


ON_THE_PAGE: Mapping[str, Any] = _theme(
    "var(--ink)",
    "var(--quiet)",
    "var(--line)",
    [f"var(--series-{number})" for number in range(1, len(SERIES) + 1)],
    _FONT,
)
IN_FILES: Mapping[str, Any] = {
    **_theme("#1c1f22", "#545c64", "#d9dde1", SERIES, "Liberation Sans, Arial, sans-serif"),
    "background": "#ffffff",
}
