"""Encodings that figures share: accuracies along the axes, configurations by looks.

A configuration looks the same in all figures, and its shape or dash tells it apart as well as its
colour, which nobody has to see (WCAG 1.4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import altair as alt
import attrs

from cfft.report.figures.themes import DASHES

C = TypeVar("C", alt.Color, alt.Stroke)
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
            title=None,
            orient="bottom",
            direction="vertical",
            columns=1,
            values=list(self.shown),
            **looks,
        )
