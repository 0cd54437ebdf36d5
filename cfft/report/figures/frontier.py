"""Curves of sweeps: ID against OOD accuracy of rows that vary something, and points beside them."""

from __future__ import annotations

from functools import partial

import altair as alt

from cfft.evaluation.compare.frontier import FrontierPoint
from cfft.report.figures.encodings import SIZE, Series, axes, percent, tooltip
from cfft.report.figures.figures import Drawn, Figure, Panel, Rows
from cfft.report.sources.records import AVERAGE, FrontierSource
from cfft.report.summary import Summary

_FIELDS = ("point", "series", "place", "value", "id", "ood")


def frontier(summary: Summary) -> Figure:
    """Draw the points of every row, those of a curve joined in the order of its values."""
    sources = summary.material.frontiers
    rows = list(dict.fromkeys(s.called(p.row) for s in sources for p in s.found.points))
    panels = tuple(
        Panel(target, {"points": _points(sources, target)}) for target in summary.targets if sources
    )
    return Figure(
        "frontier",
        f"Curves of rows: OOD accuracy against {summary.id_set}",
        "OOD set",
        "Each curve joins the points of one row of a sweep in the order of the varied values, "
        "printed at each mark; rows that vary nothing are single marks. Marks are means over "
        "seeds.",
        panels,
        partial(_draw, summary.id_set, Series(rows, rows)),
        SIZE,
    )


def _points(sources: tuple[FrontierSource, ...], target: str) -> Rows:
    rows = [
        (
            point.name,
            source.called(point.row),
            place,
            ", ".join(map(str, point.values.values())),
            percent(point.sets[source.found.id_set].mean),
            percent(ood),
        )
        for source in sources
        for place, point in enumerate(source.found.points)
        if (ood := _mean(point, target)) is not None
    ]
    return Rows(_FIELDS, rows)


def _mean(point: FrontierPoint, target: str) -> float | None:
    if target == AVERAGE:
        return point.ood_average.mean
    return point.sets[target].mean if target in point.sets else None


def _draw(id_set: str, series: Series, prefix: str) -> Drawn:
    x, y = axes(id_set)
    points = alt.Chart(alt.NamedData(name=f"{prefix}points")).encode(x=x, y=y)
    line = points.mark_line(strokeWidth=1.5)
    drawn: alt.LayerChart = alt.layer(
        line.encode(order="place:Q", stroke=series.without_legend(alt.Stroke)),
        points.mark_text(dy=-11, fontSize=11).encode(text="value:N"),
        points.mark_point(filled=True, size=60, opacity=1).encode(
            tooltip=tooltip(id_set, "point"), **series.marks()
        ),
    ).resolve_scale(stroke="independent")
    return drawn
