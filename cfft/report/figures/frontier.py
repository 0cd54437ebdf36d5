"""Curves of sweeps: ID against OOD accuracy of rows that vary something, and points beside them."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from statistics import quantiles

import altair as alt

from cfft.evaluation.compare.frontier import FrontierPoint
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
from cfft.report.sources.records import AVERAGE, FrontierSource
from cfft.report.summary import Summary

_FIELDS = ("point", "series", "place", "value", "id", "ood")
_FEWEST_TO_CROP, _FAR = 8, 3
"""Points further than three interquartile ranges from the middle half are outliers (Tukey)."""


def frontier(summary: Summary) -> Figure:
    """Draw the points of every row, those of a curve joined in the order of its values."""
    sources, left_out = summary.material.frontiers, _outliers(summary.material.frontiers)
    starts = {target: _start(summary, target) for target in summary.targets}
    has_start = bool(sources) and all(each.rows for each in starts.values())
    points = [(each.called(p.row), p.name) for each in sources for p in each.found.points]
    rows = list(dict.fromkeys(row for row, _ in points))
    shown = list(dict.fromkeys(row for row, name in points if name not in left_out))
    drawn = {target: _points(sources, target, left_out) for target in summary.targets}
    panels = tuple(
        Panel(
            target,
            {
                "points": drawn[target],
                "span": _span(summary, target, drawn[target]),
                **({"start": starts[target]} if has_start else {}),
            },
        )
        for target in summary.targets
        if sources
    )
    return Figure(
        "frontier",
        f"Curves of rows: OOD accuracy against {summary.id_set}",
        "OOD set",
        _description(sources, left_out, has_start=has_start),
        panels,
        partial(_draw, summary.id_set, Series(rows, shown), has_start),
        SIZE,
    )


def _description(
    sources: tuple[FrontierSource, ...], left_out: Collection[str], *, has_start: bool
) -> str:
    several = " of rows with several seeds" if _some_have_seeds(sources) else ""
    words = [
        "Each curve joins the points of one row of a sweep in the order of the varied values; the "
        f"first of them is printed at marks{several}. Rows that vary nothing are single marks. "
        "Marks are means over seeds."
    ]
    if has_start:
        words.append("The dashed line is the OOD accuracy of the model before fine-tuning.")
    beyond = [
        f"{point.name} ({percent(point.sets[source.found.id_set].mean):.1f} ID, "
        f"{percent(point.ood_average.mean):.1f} OOD average)"
        for source in sources
        for point in source.found.points
        if point.name in left_out
    ]
    if beyond:
        words.append(
            f"Not drawn, as their ID accuracy is far from the others: {', '.join(beyond)}."
        )
    return " ".join(words)


def _outliers(sources: tuple[FrontierSource, ...]) -> frozenset[str]:
    """Return the names of points whose ID accuracy would press all others together."""
    ids = {
        point.name: point.sets[source.found.id_set].mean
        for source in sources
        for point in source.found.points
    }
    if len(ids) < _FEWEST_TO_CROP:
        return frozenset()
    first, _, third = quantiles(ids.values(), n=4)
    reach = _FAR * (third - first)
    return frozenset(n for n, share in ids.items() if not first - reach <= share <= third + reach)


def _some_have_seeds(sources: tuple[FrontierSource, ...]) -> bool:
    return any(point.ood_average.count > 1 for each in sources for point in each.found.points)


def _start(summary: Summary, target: str) -> Rows:
    """Return the accuracies of the model that the first run started from, if there is one."""
    rows = [
        (f"before ({percent(id_):.1f} ID)", percent(ood))
        for model in summary.material.models
        if model.is_start
        and (id_ := summary.value(model, summary.id_set)) is not None
        and (ood := summary.value(model, target)) is not None
    ]
    return Rows(("start", "ood"), rows[:1])


def _label(point: FrontierPoint, *, several: bool) -> str:
    """Return what is printed at a mark; `several`: at those of several seeds alone."""
    shown = point.ood_average.count > 1 or not several
    return str(next(iter(point.values.values()), "")) if shown else ""


def _points(sources: tuple[FrontierSource, ...], target: str, left_out: Collection[str]) -> Rows:
    several = _some_have_seeds(sources)
    rows = [
        (
            point.name,
            source.called(point.row),
            place,
            _label(point, several=several),
            percent(point.sets[source.found.id_set].mean),
            percent(ood),
        )
        for source in sources
        for place, point in enumerate(source.found.points)
        if (ood := _mean(point, target)) is not None and point.name not in left_out
    ]
    return Rows(_FIELDS, rows)


def _span(summary: Summary, target: str, points: Rows) -> Rows:
    places = [(row[-2], row[-1]) for row in points.rows]
    return least_domains(summary, target, places)


def _mean(point: FrontierPoint, target: str) -> float | None:
    if target == AVERAGE:
        return point.ood_average.mean
    return point.sets[target].mean if target in point.sets else None


def _draw(id_set: str, series: Series, has_start: bool, prefix: str) -> Drawn:
    x, y = axes(id_set)
    points = alt.Chart(alt.NamedData(name=f"{prefix}points")).encode(x=x, y=y)
    line = points.mark_line(strokeWidth=1.5)
    start = alt.Chart(alt.NamedData(name=f"{prefix}start")).encode(y=y)
    before = (
        start.mark_rule(strokeDash=[5, 4], strokeWidth=1.5),
        start.mark_text(align="left", dy=9, fontSize=11).encode(x=alt.value(4), text="start:N"),
    )
    drawn: alt.LayerChart = alt.layer(
        *(before if has_start else ()),
        line.encode(order="place:Q", stroke=series.without_legend(alt.Stroke)),
        points.mark_text(dy=-11, fontSize=11).encode(text="value:N"),
        points.mark_point(filled=True, size=60, opacity=1).encode(
            tooltip=tooltip(id_set, "point"), **series.marks()
        ),
        corners(prefix, x, y),
    ).resolve_scale(stroke="independent")
    return drawn
