"""Confusion matrices as heat maps."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from cfft.report.confusion import Confusion
from cfft.report.figures.figures import Drawn, Figure, Panel, Rows

_CELL = 16
_AROUND = 100
# by the square root: mistakes are a few percent, and what readers look for
_OPACITY = alt.Scale(type="sqrt", domain=[0, 1], range=[0, 1])


def heat_maps(confusions: Sequence[Confusion]) -> Figure:
    """Draw the matrices whose classes are few enough, each row as shares of the true class."""
    drawable = [found for found in confusions if found.is_drawable]
    side = _CELL * max((len(found.classes) for found in drawable), default=0)
    return Figure(
        "confusion",
        "Confusion",
        "configuration and set",
        "Rows are true classes, columns predicted ones; the stronger a cell's colour, the larger "
        "its share of the row (on a square-root scale, so that rare mistakes can be seen). Images "
        "and shares are means over seeds.",
        tuple(Panel(f.set, {"cells": _cells(f)}, part=f.group) for f in drawable),
        _draw,
        {"width": side, "height": side},
        _AROUND + side,
    )


def _cells(confusion: Confusion) -> Rows:
    """Return the cells that are not empty; the diagonal comes first and orders the axes."""
    counts, names = confusion.counts.toarray(), confusion.classes
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    size = range(len(names))
    diagonal = [(index, index) for index in size]
    others = [(i, j) for i in size for j in size if i != j and counts[i, j]]
    rows = [
        (names[i], names[j], round(counts[i, j] / confusion.models, 1), round(shares[i, j], 3))
        for i, j in diagonal + others
    ]
    return Rows(("true", "chosen", "images", "share"), rows)


def _draw(prefix: str) -> Drawn:
    cells = alt.Chart(alt.NamedData(name=f"{prefix}cells")).encode(
        x=alt.X("chosen:N", sort=None, title="taken for", axis=alt.Axis(labelAngle=-90)),
        y=alt.Y("true:N", sort=None, title="true class"),
        opacity=alt.Opacity("share:Q", scale=_OPACITY, legend=None),
        tooltip=["true:N", "chosen:N", "images:Q", alt.Tooltip("share:Q", format=".1%")],
    )
    return alt.layer(cells.mark_rect())
