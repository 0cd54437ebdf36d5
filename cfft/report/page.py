"""The page: one HTML file with its data, its images and the code that draws them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files
from itertools import groupby
from typing import Any

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cfft.report.confusion import Confusion
from cfft.report.figures.changed import Gallery
from cfft.report.figures.figures import Figure, Panel, vega
from cfft.report.figures.gallery import sheets
from cfft.report.summary import Summary
from cfft.report.tables.mistakes import of_one
from cfft.report.tables.tables import Table
from cfft.report.verdict import Verdict
from cfft.runtime.outside import all_shown


@attrs.frozen(eq=False)
class Content:
    """Hold everything that a report shows.

    `confusions`: those that the page has room for; `left_out`: how many more there are.
    `galleries`, `galleries_left_out`: the same of images that changed.
    """

    summary: Summary
    verdict: Verdict
    tables: dict[str, Table]
    figures: dict[str, Figure]
    confusions: Sequence[Confusion]
    left_out: int = 0
    galleries: Sequence[Gallery] = ()
    galleries_left_out: int = 0


def page(content: Content, made: datetime) -> str:
    """Return the page; it opens offline, and a policy in its head forbids any request."""
    environment = Environment(
        loader=PackageLoader("cfft.report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        content=content,
        made=made,
        version=version("cfft"),
        style=_asset("style.css"),
        script=_asset("page.js"),
        vega=Markup(vega().replace("</script", r"<\/script")),
        charts=_charts(content),
        sheets=list(sheets(content.summary.material.runs)),
        mistakes=list(map(of_one, content.confusions)),
        choices=_by_group(content.confusions),
    )


def _asset(name: str) -> Markup:
    return Markup((files("cfft.report") / "templates" / name).read_text("utf-8"))


def _charts(content: Content) -> dict[str, dict[str, Any]]:
    """Return what the page's code draws: specifications, and the data of every panel.

    Confusions are chosen from the list of all of them; those that are not drawn have None.
    """
    charts: dict[str, dict[str, Any]] = {
        name: {"spec": figure.on_the_page(), "panels": list(map(_data, figure.panels))}
        for name, figure in content.figures.items()
    }
    if "confusion" in charts:
        drawn = iter(charts["confusion"]["panels"])
        all_of_them = [next(drawn) if c.is_drawable else None for c in content.confusions]
        charts["confusion"]["panels"] = all_of_them
    return charts


def _data(panel: Panel) -> dict[str, Any]:
    return {
        name: {"fields": rows.fields, "rows": all_shown(rows.rows)}
        for name, rows in panel.data.items()
    }


def _by_group(confusions: Sequence[Confusion]) -> list[tuple[str, list[tuple[int, str]]]]:
    numbered = groupby(enumerate(confusions), key=lambda entry: entry[1].group)
    return [(group, [(i, found.set) for i, found in entries]) for group, entries in numbered]
