"""Training curves from metrics.jsonl."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import altair as alt
import numpy as np

from cfft.report.figures import Drawn, Figure, Panel, Rows
from cfft.report.records import Run
from cfft.report.themes import SERIES

_MOST_POINTS = 400
_AXES = ("step", "epoch", "seconds")
_LEADING = ("loss", "val_top1")
_FIELDS = ("run", "series", "step", "value")


def curves(runs: Sequence[Run]) -> Figure | None:
    """Draw each quantity that the runs wrote down, by optimiser step."""
    panels = tuple(Panel(name, {"points": _rows(runs, name)}) for name in _quantities(runs))
    return (
        Figure(
            "training",
            "Training curves",
            "quantity",
            "Each line is a run. Losses are means since the mark before, auxiliary losses without "
            "their weights; val_top1 is the validation accuracy after an epoch.",
            panels,
            _draw,
            {"width": 260, "height": 180},
        )
        if panels
        else None
    )


def _quantities(runs: Sequence[Run]) -> list[str]:
    lines = (line for run in runs for line in run.metrics)
    found = dict.fromkeys(name for line in lines for name in line if name not in _AXES)
    return sorted(found, key=lambda name: name not in _LEADING)


def _rows(runs: Sequence[Run], name: str) -> Rows:
    has_colour_each = len(runs) <= len(SERIES)
    rows = [
        (run.label, run.label if has_colour_each else run.group, step, value)
        for run in runs
        for step, value in _thinned(list(_values(run, name)))
    ]
    return Rows(_FIELDS, rows)


def _values(run: Run, name: str) -> Iterator[tuple[int, float]]:
    for line in run.metrics:
        if name in line and "step" in line:
            yield line["step"], float(f"{line[name]:.5g}")


def _thinned(values: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Keep as many points as can be told apart, evenly, the first and the last among them."""
    kept = np.linspace(0, len(values) - 1, min(len(values), _MOST_POINTS)).round().astype(int)
    return [values[index] for index in kept]


def _draw(prefix: str) -> Drawn:
    legend = alt.Legend(title=None, orient="bottom", direction="vertical", columns=1)
    points = alt.Chart(alt.NamedData(name=f"{prefix}points")).encode(
        x=alt.X("step:Q", title="optimiser step"),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
        color=alt.Color("series:N", sort=None, legend=legend),
        detail="run:N",
        tooltip=["run:N", "step:Q", "value:Q"],
    )
    return alt.layer(points.mark_line(strokeWidth=1.5), points.mark_point(filled=True, size=14))
