"""Confusion matrices as heat maps."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from cfft.report.confusion import Confusion
from cfft.report.figures import Drawn, Figure, Panel, Rows

_CELL = 16
_AROUND = 100


def heat_maps(confusions: Sequence[Confusion]) -> Figure | None:
    """Draw the matrices whose classes are few enough, each row as shares of the true class."""
    panels = tuple(
        Panel(found.set, {"cells": _cells(found)}, part=found.model)
        for found in confusions
        if found.is_drawable
    )
    return (
        Figure(
            "confusion",
            "Confusion",
            "model and set",
            "Rows are true classes, columns what the model took them for; the stronger a cell's "
            "colour, the larger its share of the row. The table beside it holds the most frequent "
            "mistakes.",
            panels,
            _draw,
            {},
            _AROUND + _CELL * max(len(found.classes) for found in confusions if found.is_drawable),
        )
        if panels
        else None
    )


def _cells(confusion: Confusion) -> Rows:
    """Return the cells that are not empty; the diagonal comes first and orders the axes."""
    counts, names = confusion.counts, confusion.classes
    size = range(len(names))
    diagonal = [(index, index) for index in size]
    others = [(i, j) for i in size for j in size if i != j and counts[i, j]]
    rows = [
        (names[i], names[j], int(counts[i, j]), round(counts[i, j] / max(counts[i].sum(), 1), 3))
        for i, j in diagonal + others
    ]
    return Rows(("true", "chosen", "pictures", "share"), rows)


def _draw(prefix: str) -> Drawn:
    cells = alt.Chart(alt.NamedData(name=f"{prefix}cells")).encode(
        x=alt.X("chosen:N", sort=None, title="taken for", axis=alt.Axis(labelAngle=-90)),
        y=alt.Y("true:N", sort=None, title="true class"),
        opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0, 1]), legend=None),
        tooltip=["true:N", "chosen:N", "pictures:Q", alt.Tooltip("share:Q", format=".1%")],
    )
    return alt.layer(cells.mark_rect())
