"""The table of how many images became wrong and how many became right."""

from __future__ import annotations

from collections.abc import Sequence

from cfft.report.changed import Changed
from cfft.report.tables.tables import Cell, Column, Table


def changed_counts(found: Sequence[Changed]) -> Table:
    """Tabulate the images of each OOD set that changed, from one model to another."""
    rows = [
        (
            *(Cell(each.before.label), Cell(each.after.label), Cell(each.set), Cell(each.images)),
            *(Cell(each.wrong), Cell(each.right), Cell((each.right - each.wrong) / each.images)),
        )
        for each in found
    ]
    return Table(
        "changed",
        "Images that became wrong or right",
        (
            *(Column("from"), Column("to"), Column("set"), Column("images", "count")),
            *(Column("became wrong", "count"), Column("became right", "count")),
            Column("difference", "points"),
        ),
        tuple(rows),
    )
