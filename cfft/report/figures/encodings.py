"""Encodings that figures share: accuracies along the axes, configurations by looks.

A configuration looks the same in all figures, and its shape or dash tells it apart as well as its
colour, which nobody has to see (WCAG 1.4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import altair as alt
import attrs

from cfft.report.figures.figures import Rows
from cfft.report.figures.themes import DASHES
from cfft.report.summary import Summary

C = TypeVar("C", alt.Color, alt.Stroke)
_LEAST_WIDTHS = 1.5
"""Intervals that an axis has room for: that of a difference is sqrt(2) times as wide as one."""
SIZE = {"width": 260, "height": 220}
_TITLES = {"robustness": "effective robustness, points", "series": "configuration"}
_FIELD = "series:N"
_SAMPLE = "M-2,0L2,0"
"""A piece of line in a legend, as an SVG path of a symbol."""


def percent(share: float | None) -> float | None:
    """Return a share as figures hold it: in percent, to two places."""
    return None if share is None else round(100 * share, 2)


def axes(id_set: str) -> tuple[alt.X, alt.Y]:
    """Return the axes for the fields `id` and `ood`, in percent."""
    wide = alt.Scale(zero=False, nice=True, padding=12)
    return (
        alt.X("id:Q", title=f"{id_set} (ID), top-1 in percent", scale=wide),
        alt.Y("ood:Q", title="OOD, top-1 in percent", scale=wide),
    )


def least_domain(values: Sequence[float], widths: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis that shows `values`, wider where their intervals ask for it.

    Differences that their intervals could explain must not fill an axis. `values`: percent, one or
    more. `widths`: of their 95 % intervals, in points. The ends lie around the middle of the values
    but within 0 to 100.
    """
    low, high = min(values), max(values)
    least = _LEAST_WIDTHS * max(widths, default=0.0)
    missing = min(least, 100.0) - (high - low)
    if missing <= 0:
        return low, high
    first = min(max(low - missing / 2, 0.0), 100.0 - (high - low) - missing)
    return round(first, 2), round(first + (high - low) + missing, 2)


def least_domains(
    summary: Summary, target: str, places: Sequence[tuple[float | None, float | None]]
) -> Rows:
    """Return two corners of a chart, the least that its axes for ID and `target` have to show.

    `places`: ID and OOD accuracy of the marks, in percent; without any nothing is returned.
    """
    if not places:
        return Rows(("id", "ood"), ())
    ends = []
    for name, values in zip((summary.id_set, target), zip(*places, strict=True), strict=True):
        intervals = (summary.interval(model, name) for model in summary.material.models)
        widths = [100 * (high - low) for low, high in filter(None, intervals)]
        ends.append(least_domain([v for v in values if v is not None], widths))
    return Rows(("id", "ood"), list(zip(*ends, strict=True)))


def corners(prefix: str, x: alt.X, y: alt.Y) -> alt.Chart:
    """Return marks nobody sees, which the axes have to reach: the data "span"."""
    chart = alt.Chart(alt.NamedData(name=f"{prefix}span"))
    unseen: alt.Chart = chart.mark_point(opacity=0, size=0, aria=False).encode(x=x, y=y)
    return unseen


def tooltip(id_set: str, *names: str) -> list[alt.Tooltip]:
    """Return what is said of a mark: the fields `names`, then both accuracies."""
    return [
        *(alt.Tooltip(f"{name}:N", title=_TITLES.get(name, name)) for name in names),
        alt.Tooltip("id:Q", title=f"{id_set} (ID), %", format=".1f"),
        alt.Tooltip("ood:Q", title="OOD, %", format=".1f"),
    ]


@attrs.frozen
class Series:
    """Hold the names of all series of a report, in order, and of those that a figure shows."""

    order: Sequence[str]
    shown: Sequence[str]

    def marks(self) -> dict[str, alt.Color | alt.Shape]:
        """Return encodings of marks: colour and shape."""
        legend = self._legend()
        return {
            "color": alt.Color(_FIELD, scale=self._scale(), legend=legend),
            "shape": alt.Shape(_FIELD, scale=self._scale(), legend=legend),
        }

    def lines(self) -> dict[str, alt.Stroke | alt.StrokeDash]:
        """Return encodings of lines without marks: colour and dash."""
        legend = self._legend(
            symbolType=_SAMPLE, symbolSize=300, symbolStrokeWidth=2, labelOffset=16
        )
        dashes = alt.Scale(domain=list(self.order), range=[list(dash) for dash in DASHES])
        return {
            "stroke": alt.Stroke(_FIELD, scale=self._scale(), legend=legend),
            "strokeDash": alt.StrokeDash(_FIELD, scale=dashes, legend=legend),
        }

    def without_legend(self, channel: type[C]) -> C:
        """Return the encoding of a channel by colour where other marks have the legend."""
        return channel(_FIELD, scale=self._scale(), legend=None)

    def _scale(self) -> alt.Scale:
        return alt.Scale(domain=list(self.order))

    def _legend(self, **looks: Any) -> alt.Legend:
        return alt.Legend(
            symbolLimit=0,  # all of them
            title=None,
            orient="bottom",
            direction="vertical",
            columns=1,
            values=list(self.shown),
            **looks,
        )
