"""Training curves from metrics.jsonl: a line per configuration, with the range of its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import fmean
from typing import Any

import altair as alt
import numpy as np

from cfft.report.figures.encodings import Series
from cfft.report.figures.figures import Drawn, Figure, Panel, Rows
from cfft.report.sources.records import Run, by_group

_MOST_POINTS = 150
_BAND = 0.15
_AXES = ("step", "epoch", "seconds")
_LEADING = ("loss", "val_top1")
_FIELDS = ("series", "step", "mean", "low", "high", "seeds")
_MEANINGS = {
    "loss": "loss, total",
    "val_top1": "validation top-1, share",
    "val_class_mean": "validation, mean of the classes' top-1, share",
    "val_loss": "validation loss, mean cross-entropy",
    "grad_norm": "L2 norm of the gradient before clipping",
    "lr": "learning rate",
    "images_per_second": "images per second",
}


def curves(runs: Sequence[Run], order: Sequence[str]) -> Figure:
    """Draw each quantity that the runs wrote down, by optimiser step; `order` as in Series."""
    groups = by_group(runs)
    panels = tuple(
        Panel(_MEANINGS.get(name, f"loss {name}, unweighted"), {"points": _rows(groups, name)})
        for name in _quantities(runs)
    )
    return Figure(
        "training",
        "Training curves",
        "quantity",
        _description(groups),
        panels,
        partial(_draw, Series(order, list(groups))),
        {"width": 260, "height": 180},
    )


def _description(groups: dict[str, list[Run]]) -> str:
    lines = "Each line is a configuration"
    if any(len(runs) > 1 for runs in groups.values()):
        lines += ": the mean over its seeds, in a band from the smallest to the largest value"
    return f"{lines}. Losses are means over the steps since the previous point."


def _quantities(runs: Sequence[Run]) -> list[str]:
    lines = (line for run in runs for line in run.metrics)
    found = dict.fromkeys(name for line in lines for name in line if name not in _AXES)
    return sorted(found, key=lambda name: name not in _LEADING)


def _rows(groups: dict[str, list[Run]], name: str) -> Rows:
    rows = [
        (group, step, *_summarised(values))
        for group, runs in groups.items()
        for step, values in _thinned(_by_step(runs, name))
    ]
    return Rows(_FIELDS, rows)


def _by_step(runs: Sequence[Run], name: str) -> list[tuple[int, list[tuple[Any, float]]]]:
    found: dict[int, list[tuple[Any, float]]] = {}
    for run in runs:
        for line in run.metrics:
            if name in line and "step" in line:
                found.setdefault(line["step"], []).append((run.seed, line[name]))
    return sorted(found.items())


def _summarised(values: Sequence[tuple[Any, float]]) -> tuple[float, float, float, str]:
    numbers = [value for _, value in values]
    words = ", ".join(f"{'-' if seed is None else seed}: {value:.3g}" for seed, value in values)
    mean, low, high = (float(f"{n:.4g}") for n in (fmean(numbers), min(numbers), max(numbers)))
    return mean, low, high, words


def _thinned(values: Sequence[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """Keep as many points as can be told apart, evenly, the first and the last among them."""
    kept = np.linspace(0, len(values) - 1, min(len(values), _MOST_POINTS)).round().astype(int)
    return [values[index] for index in kept]


def _draw(series: Series, prefix: str) -> Drawn:
    points = alt.Chart(alt.NamedData(name=f"{prefix}points")).encode(
        x=alt.X("step:Q", title="optimiser step", axis=alt.Axis(tickMinStep=1))
    )
    low = alt.Y("low:Q", title=None, scale=alt.Scale(zero=False))
    mean = alt.Y("mean:Q", title=None, scale=alt.Scale(zero=False))
    # a line of a single point is not drawn; a filter would leave no extent where all are longer
    counted = points.transform_joinaggregate(written="count()", groupby=["series"])
    alone = alt.condition("datum.written === 1", alt.value(1), alt.value(0))
    band = series.without_legend(alt.Color)
    layers = (
        points.mark_area(opacity=_BAND, aria=False).encode(y=low, y2="high", color=band),
        points.mark_line(strokeWidth=2).encode(y=mean, **series.lines()),
        counted.mark_point(filled=True, size=60, aria=False).encode(
            y=mean, opacity=alone, color=band
        ),
        points.mark_point(filled=True, size=120, opacity=0).encode(y=mean, tooltip=_tooltip()),
    )
    drawn: alt.LayerChart = alt.layer(*layers).resolve_scale(color="independent")
    return drawn


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("series:N", title="configuration"),
        alt.Tooltip("step:Q", title="optimiser step"),
        alt.Tooltip("mean:Q"),
        alt.Tooltip("seeds:N", title="by seed"),
    ]
