"""ID against OOD accuracy: all models (the paper's Figs. 6 and 7), and weight ensembles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import altair as alt
import numpy as np

from cfft.report.figures import Drawn, Figure, Panel, Rows
from cfft.report.records import Model
from cfft.report.summary import Group, Summary, spread
from cfft.report.themes import SERIES
from cfft.results import Spread

_POINTS_OF_A_LINE = 40
_POINT = ("model", "series", "seed", "id", "ood", "robustness")
_ENDS = ("id_low", "id_high", "ood_low", "ood_high")
_SIZE = {"width": 260, "height": 220}


def scatter(summary: Summary) -> Figure | None:
    """Draw every model by ID and OOD accuracy, with intervals and the fitted line."""
    panels = [
        Panel(target, {"points": _points(summary, target), "line": _line(summary, target)})
        for target in summary.targets
    ]
    return (
        Figure(
            "scatter",
            f"OOD accuracy against {summary.id_set}",
            "OOD set",
            "Each mark is a model by its accuracy in and out of distribution; marks above the line "
            "are more robust than their ID accuracy foretells. The tables hold the same numbers.",
            tuple(panels),
            _drawing_scatter(summary.id_set),
            _SIZE,
        )
        if panels
        else None
    )


def _points(summary: Summary, target: str) -> Rows:
    series = _series(summary)
    rows = [
        (
            model.label,
            series(model),
            model.seed,
            _percent(summary.value(model, summary.id_set)),
            _percent(summary.value(model, target)),
            _percent(summary.robustness(model, target)),
            *map(_percent, summary.interval(model, summary.id_set) or (None, None)),
            *map(_percent, summary.interval(model, target) or (None, None)),
        )
        for model in summary.material.models
    ]
    return Rows(
        (*_POINT, *_ENDS), [row for row in rows if row[3] is not None and row[4] is not None]
    )


def _series(summary: Summary) -> Callable[[Model], str]:
    """Return what has a colour: configurations, or where they are too many, sources."""
    groups = dict.fromkeys(model.group for model in summary.material.models)
    if len(groups) <= len(SERIES):
        return lambda model: model.group
    return lambda model: Path(model.source).stem


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def _line(summary: Summary, target: str) -> Rows:
    fields = ("id", "ood")
    if target not in summary.lines:
        return Rows(fields, [])
    shares = [summary.value(model, summary.id_set) for model in summary.material.models]
    known = [share for share in shares if share is not None]
    ids = np.linspace(min(known), max(known), _POINTS_OF_A_LINE).tolist()
    line = summary.lines[target]
    return Rows(fields, [(_percent(id_), _percent(line.expected(id_))) for id_ in ids])


def _drawing_scatter(id_set: str) -> Callable[[str], Drawn]:
    def draw(prefix: str) -> Drawn:
        points = alt.Chart(alt.NamedData(name=f"{prefix}points"))
        x, y = _axes(id_set)
        line = alt.Chart(alt.NamedData(name=f"{prefix}line"))
        return alt.layer(
            line.mark_line(strokeDash=[5, 4], strokeWidth=1.5, aria=False).encode(x=x, y=y),
            *(_whiskers(points, x, y, way) for way in ("id", "ood")),
            points.mark_point(filled=True, size=70, opacity=0.85).encode(
                x=x, y=y, tooltip=_tooltip(id_set, "model", "seed", "robustness"), **_by_series()
            ),
        )

    return draw


def _axes(id_set: str) -> tuple[alt.X, alt.Y]:
    wide = alt.Scale(zero=False, nice=True, padding=12)
    return (
        alt.X("id:Q", title=f"{id_set} (ID), top-1 in percent", scale=wide),
        alt.Y("ood:Q", title="OOD, top-1 in percent", scale=wide),
    )


def _whiskers(points: alt.Chart, x: alt.X, y: alt.Y, way: str) -> alt.Chart:
    """Draw the confidence intervals along one axis, of the models that have some."""
    low, high = (f"{way}_low", f"{way}_high")
    known = points.transform_filter(f"isValid(datum.{low})")
    ends = {"x": x, "y": alt.Y(f"{low}:Q"), "y2": high}
    if way == "id":
        ends = {"y": y, "x": alt.X(f"{low}:Q"), "x2": high}
    whiskers: alt.Chart = known.mark_rule(opacity=0.45).encode(**ends)
    return whiskers


def _by_series() -> dict[str, alt.Color | alt.Shape]:
    legend = alt.Legend(title=None, orient="bottom", direction="vertical", columns=1)
    return {
        "color": alt.Color("series:N", sort=None, legend=legend),
        "shape": alt.Shape("series:N", sort=None, legend=legend),
    }


def _tooltip(id_set: str, *names: str) -> list[alt.Tooltip]:
    titles = {"robustness": "effective robustness, points", "series": "configuration"}
    return [
        *(alt.Tooltip(f"{name}:N", title=titles.get(name, name)) for name in names),
        alt.Tooltip("id:Q", title=f"{id_set} (ID), %", format=".1f"),
        alt.Tooltip("ood:Q", title="OOD, %", format=".1f"),
    ]


def ensembles(summary: Summary) -> Figure | None:
    """Draw weight ensembles as curves from the starting to the fine-tuned weights."""
    families = _families(summary)
    panels = tuple(
        Panel(target, {"points": _curve(summary, families, target)}) for target in summary.targets
    )
    return (
        Figure(
            "ensembles",
            f"Weight ensembles: OOD accuracy against {summary.id_set}",
            "OOD set",
            "Each curve goes through the weight ensembles of one configuration in the order of "
            "alpha, the share of the fine-tuned weights.",
            panels,
            _drawing_curves(summary.id_set),
            _SIZE,
        )
        if families and panels
        else None
    )


def _families(summary: Summary) -> dict[str, list[tuple[float, Group]]]:
    """Return the ensembles of each configuration with alpha; the fine-tuned model has alpha 1."""
    found: dict[str, list[tuple[float, Group]]] = {}
    for group in summary.groups:
        if group.alpha is not None:
            found.setdefault(group.models[0].group, []).append((group.alpha, group))
    for group in summary.groups:
        own = found.get(group.name, [])
        if group.alpha is None and own and all(alpha != 1 for alpha, _ in own):
            own.append((1.0, group))
    return found


def _curve(summary: Summary, families: dict[str, list[tuple[float, Group]]], target: str) -> Rows:
    rows = [
        (name, alpha, _percent(id_.mean), _percent(ood.mean))
        for name, members in families.items()
        for alpha, group in members
        if (id_ := _mean(summary, group, summary.id_set)) and (ood := _mean(summary, group, target))
    ]
    return Rows(("series", "alpha", "id", "ood"), rows)


def _mean(summary: Summary, group: Group, name: str) -> Spread | None:
    return spread(summary.value(model, name) for model in group.models)


def _drawing_curves(id_set: str) -> Callable[[str], Drawn]:
    def draw(prefix: str) -> Drawn:
        x, y = _axes(id_set)
        points = alt.Chart(alt.NamedData(name=f"{prefix}points")).encode(x=x, y=y)
        colour = _by_series()["color"]  # with shapes, marks and lines would have a legend each
        return alt.layer(
            points.mark_line(strokeWidth=1.5).encode(order="alpha:Q", color=colour),
            points.mark_text(dy=-10, fontSize=11).encode(text=alt.Text("alpha:Q", format="~g")),
            points.mark_point(filled=True, size=60, opacity=1).encode(
                tooltip=_tooltip(id_set, "series", "alpha"), color=colour
            ),
        )

    return draw
