"""The page: one HTML file with its data, its pictures and the code that draws them."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files
from itertools import groupby
from typing import Any

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from cfft.evaluation.groups import settings
from cfft.report.configurations import PAIR_COLUMNS, pair_rows
from cfft.report.confusion import Confusion
from cfft.report.figures import Figure, Panel, vega
from cfft.report.records import Run
from cfft.report.summary import Summary
from cfft.report.tables import Table

_QUALITY = 88
_IN_CAPTIONS = ("mask.", "fill.", "cam.")


@attrs.frozen(eq=False)
class Content:
    """Hold everything that a report shows."""

    summary: Summary
    tables: dict[str, Table]
    figures: dict[str, Figure]
    confusions: Sequence[Confusion]


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
        sheets=list(_sheets(content.summary.material.runs)),
        mistakes=_mistakes(content.confusions),
        choices=_by_model(content.confusions),
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
    return {name: {"fields": rows.fields, "rows": rows.rows} for name, rows in panel.data.items()}


def _mistakes(confusions: Sequence[Confusion]) -> list[Table]:
    return [
        Table(f"mistakes-{number}", f"{found.model} on {found.set}", PAIR_COLUMNS, tuple(rows))
        for number, found in enumerate(confusions)
        for rows in [pair_rows(found)]
    ]


def _by_model(confusions: Sequence[Confusion]) -> list[tuple[str, list[tuple[int, str]]]]:
    """Return the numbers and sets of the confusions of each model."""
    numbered = groupby(enumerate(confusions), key=lambda entry: entry[1].model)
    return [(model, [(i, found.set) for i, found in entries]) for model, entries in numbered]


@attrs.frozen
class Sheet:
    """Hold a sheet of counterfactual pictures: the runs that made it, and the picture itself."""

    runs: str
    words: str
    address: str
    size: tuple[int, int]


def _sheets(runs: Sequence[Run]) -> Iterator[Sheet]:
    """Go through the sheets, those that several runs made alike once."""
    found: dict[bytes, list[Run]] = {}
    for run in runs:
        if run.sheet is not None:
            found.setdefault(run.sheet.read_bytes(), []).append(run)
    for picture, makers in found.items():
        address, size = _embedded(picture)
        yield Sheet(", ".join(run.label for run in makers), _words(makers[0]), address, size)


def _words(run: Run) -> str:
    chosen = [(key, value) for key, value in settings(run.config) if key.startswith(_IN_CAPTIONS)]
    return ", ".join(f"{k.removesuffix('.use').replace('.', ' ')} {v}" for k, v in chosen)


def _embedded(picture: bytes) -> tuple[str, tuple[int, int]]:
    """Return a picture as a data URI, far smaller than PNG, and its size."""
    with Image.open(io.BytesIO(picture)) as opened:
        written = io.BytesIO()
        opened.convert("RGB").save(written, "WEBP", quality=_QUALITY)
        return f"data:image/webp;base64,{b64encode(written.getvalue()).decode()}", opened.size
