"""Figures as Vega-Lite: one with a choice of panels on the page, all panels at once in files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import altair as alt
import attrs
import vl_convert

from cfft.report.figures.themes import IN_FILES, ON_THE_PAGE
from cfft.runtime.outside import all_shown

_COLUMNS = 3
_SCALE = 2
_GLOBALS = "window.vegaEmbed = vegaEmbed"

Drawn = alt.LayerChart | alt.FacetChart


@attrs.frozen(eq=False)
class Rows:
    """Hold data by row; `fields` names the columns."""

    fields: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """Return the rows as Vega-Lite reads them."""
        return [dict(zip(self.fields, row, strict=True)) for row in self.rows]


@attrs.frozen(eq=False)
class Panel:
    """Hold the data of one panel by name; panels of the same `part` belong together."""

    label: str
    data: Mapping[str, Rows]
    part: str = ""


@attrs.frozen(eq=False)
class Figure:
    """Hold a figure whose panels are drawn alike.

    `draw`: makes the chart that reads its data from names with the given prefix. `size`: width
    and height of a panel in files. `height`: that of the chart on the page. All in pixels: a page
    cannot fit a chart that has a size by step. `choice`: what the panels are, as the page asks for
    one. `description`: what is to be seen, in words.
    """

    name: str
    title: str
    choice: str
    description: str
    panels: tuple[Panel, ...]
    draw: Callable[[str], Drawn]
    size: Mapping[str, int]
    height: int = 380

    def on_the_page(self) -> dict[str, Any]:
        """Return the specification with the first panel's data, as wide as its container."""
        chart = self.draw("").properties(
            width="container", height=self.height, description=self.description
        )
        return self._specification(chart, ON_THE_PAGE, [("", self.panels[0])])

    def in_files(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Go through file names and specifications, one per part, with all of its panels."""
        for part, panels in groupby(self.panels, key=lambda panel: panel.part):
            numbered = [(f"{number}-", panel) for number, panel in enumerate(panels)]
            charts = [
                self.draw(prefix).properties(title=panel.label, **self.size)
                for prefix, panel in numbered
            ]
            chart = alt.concat(*charts, columns=_COLUMNS)
            name = f"{self.name}-{part}" if part else self.name
            yield name, self._specification(chart, IN_FILES, numbered)

    @staticmethod
    def _specification(
        chart: alt.TopLevelMixin, theme: Mapping[str, Any], panels: Sequence[tuple[str, Panel]]
    ) -> dict[str, Any]:
        specification: dict[str, Any] = chart.to_dict(validate=True)
        data = {
            f"{prefix}{name}": rows.records()
            for prefix, panel in panels
            for name, rows in panel.data.items()
        }
        found: dict[str, Any] = all_shown({**specification, "datasets": data})
        return {**found, "config": dict(theme)}


def vega() -> str:
    """Return the JavaScript that draws specifications, complete."""
    bundle: str = vl_convert.javascript_bundle(_GLOBALS)
    return bundle


def images(specification: Mapping[str, Any]) -> tuple[str, bytes]:
    """Draw a specification as SVG and as PNG; nothing is fetched."""
    svg: str = vl_convert.vegalite_to_svg(dict(specification), allowed_base_urls=[])
    png: bytes = vl_convert.svg_to_png(svg, scale=_SCALE)
    return svg, png
