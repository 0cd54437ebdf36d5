"""ID against OOD accuracy of all models (the paper's Figs. 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import altair as alt
import numpy as np

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
from cfft.report.sources.records import ReportedModel
from cfft.report.summary import Summary

_POINTS_OF_A_LINE = 40
_MOST_SERIES = 24
_FIELDS = (
    *("model", "series", "seed", "id", "ood", "robustness"),
    *("id_low", "id_high", "ood_low", "ood_high", "remark"),
)


def scatter(summary: Summary) -> Figure:
    """Draw every model by ID and OOD accuracy, with intervals and the fitted line."""
    name = _naming(summary)
    panels = tuple(
        Panel(
            target,
            {
                "points": _points(summary, target, name),
                "line": _line(summary, target),
                "span": _span(summary, target),
            },
        )
        for target in summary.targets
    )
    names = list(dict.fromkeys(map(name, summary.material.models)))
    return Figure(
        "scatter",
        f"OOD accuracy against {summary.id_set}",
        "OOD set",
        _description(summary),
        panels,
        partial(_draw, summary.id_set, Series(names, names)),
        SIZE,
    )


def _description(summary: Summary) -> str:
    has_intervals = any(
        summary.interval(model, summary.id_set) for model in summary.material.models
    )
    whiskers = " with its 95 % confidence intervals" if has_intervals else ""
    line = (
        f"The dashed line is fitted through {len(summary.baseline)} models; marks above it are "
        "more robust than their ID accuracy predicts."
        if summary.lines
        else "No robustness line: name its models with --baseline-line."
    )
    return f"Each mark is a model{whiskers}. {line} The tables hold the same numbers."


def _naming(summary: Summary) -> Callable[[ReportedModel], str]:
    """Return the name of a model's series: its configuration, of too many its source."""
    if len(summary.configurations) <= _MOST_SERIES:
        return lambda model: model.group
    return _source


def _source(model: ReportedModel) -> str:
    if model.is_start:
        return "before fine-tuning"
    return "runs" if model.is_run else Path(model.source).stem


def _points(summary: Summary, target: str, name: Callable[[ReportedModel], str]) -> Rows:
    rows = [
        (
            model.label,
            name(model),
            model.seed,
            percent(id_),
            percent(ood),
            percent(summary.robustness(model, target)),
            *_ends(summary, model, summary.id_set),
            *_ends(summary, model, target),
            "before" if model.is_start else "",
        )
        for model, id_, ood in _known(summary, target)
    ]
    return Rows(_FIELDS, rows)


def _known(summary: Summary, target: str) -> Iterator[tuple[ReportedModel, float, float]]:
    for model in summary.material.models:
        id_, ood = summary.value(model, summary.id_set), summary.value(model, target)
        if id_ is not None and ood is not None:
            yield model, id_, ood


def _ends(summary: Summary, model: ReportedModel, name: str) -> tuple[float | None, float | None]:
    """Return the ends of a confidence interval, without one the accuracy itself, in percent.

    So every model has a whisker, of no length where nothing is known.
    """
    value = summary.value(model, name)
    low, high = summary.interval(model, name) or (value, value)
    return percent(low), percent(high)


def _span(summary: Summary, target: str) -> Rows:
    places = [(percent(id_), percent(ood)) for _, id_, ood in _known(summary, target)]
    return least_domains(summary, target, places)


def _line(summary: Summary, target: str) -> Rows:
    pairs = [(id_, ood) for _, id_, ood in _known(summary, target)]
    if target in summary.lines:
        ids = np.linspace(min(pairs)[0], max(pairs)[0], _POINTS_OF_A_LINE).tolist()
        pairs = [(id_, summary.lines[target].expected(id_)) for id_ in ids]
    else:
        pairs = pairs[:1]  # without a line one of no length
    return Rows(("id", "ood"), [(percent(id_), percent(ood)) for id_, ood in pairs])


def _draw(id_set: str, series: Series, prefix: str) -> Drawn:
    points = alt.Chart(alt.NamedData(name=f"{prefix}points"))
    x, y = axes(id_set)
    line = alt.Chart(alt.NamedData(name=f"{prefix}line"))
    remark = points.mark_text(align="left", dx=6, dy=-9, fontSize=12, aria=False)
    return alt.layer(
        line.mark_line(strokeDash=[5, 4], strokeWidth=1.5, aria=False).encode(x=x, y=y),
        *_whiskers(points, x, y),
        points.mark_point(filled=True, size=70, opacity=0.85).encode(
            x=x, y=y, tooltip=tooltip(id_set, "model", "seed", "robustness"), **series.marks()
        ),
        remark.encode(x=x, y=y, text="remark:N"),
        corners(prefix, x, y),
    )


def _whiskers(points: alt.Chart, x: alt.X, y: alt.Y) -> tuple[alt.Chart, alt.Chart]:
    rules = points.mark_rule(opacity=0.45, aria=False)
    return (
        rules.encode(y=y, x=alt.X("id_low:Q"), x2="id_high"),
        rules.encode(x=x, y=alt.Y("ood_low:Q"), y2="ood_high"),
    )
