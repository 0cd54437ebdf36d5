"""Curves of weight ensembles from the starting to the fine-tuned weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import altair as alt

from cfft.report.figures.encodings import (
    SIZE,
    Series,
    axes,
    corners,
    least_domains,
    percent,
    tooltip,
)
from cfft.report.figures.figures import Drawn, Figure, Panel, Rows
from cfft.report.summary import Group, Summary

Families = Mapping[str, Sequence[tuple[float, Group]]]


def ensembles(summary: Summary) -> Figure:
    """Draw the weight ensembles of each configuration in the order of alpha."""
    families = _families(summary)
    panels = tuple(_panel(summary, families, target) for target in summary.targets if families)
    return Figure(
        "ensembles",
        f"Weight ensembles: OOD accuracy against {summary.id_set}",
        "OOD set",
        "Each curve joins the weight ensembles of one configuration in order of alpha, the share "
        "of the fine-tuned weights, printed at each mark. Marks are means over seeds.",
        panels,
        partial(_draw, summary.id_set, Series(summary.configurations, list(families))),
        SIZE,
    )


def _families(summary: Summary) -> Families:
    found: dict[str, list[tuple[float, Group]]] = {}
    for group in summary.groups:
        if group.alpha is not None:
            found.setdefault(group.configuration, []).append((group.alpha, group))
    for group in summary.groups:
        own = found.get(group.configuration, [])
        if group.alpha is None and own and all(alpha != 1 for alpha, _ in own):
            own.append((1.0, group))
    return found


def _panel(summary: Summary, families: Families, target: str) -> Panel:
    points = _curve(summary, families, target)
    places = [(row[-2], row[-1]) for row in points.rows]
    span = least_domains(summary, target, places)
    return Panel(target, {"points": points, "span": span})


def _curve(summary: Summary, families: Families, target: str) -> Rows:
    rows = [
        (name, alpha, percent(id_.mean), percent(ood.mean))
        for name, members in families.items()
        for alpha, group in members
        if (id_ := summary.spread(group, summary.id_set)) and (ood := summary.spread(group, target))
    ]
    return Rows(("series", "alpha", "id", "ood"), rows)


def _draw(id_set: str, series: Series, prefix: str) -> Drawn:
    x, y = axes(id_set)
    points = alt.Chart(alt.NamedData(name=f"{prefix}points")).encode(x=x, y=y)
    line = points.mark_line(strokeWidth=1.5)
    drawn: alt.LayerChart = alt.layer(
        line.encode(order="alpha:Q", stroke=series.without_legend(alt.Stroke)),
        points.mark_text(dy=-11, fontSize=11).encode(text=alt.Text("alpha:Q", format="~g")),
        points.mark_point(filled=True, size=60, opacity=1).encode(
            tooltip=tooltip(id_set, "series", "alpha"), **series.marks()
        ),
        corners(prefix, x, y),
    ).resolve_scale(stroke="independent")
    return drawn
