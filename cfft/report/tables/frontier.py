"""Tables of sweeps' frontiers: rows at equal ID accuracy, and points against a row's curve."""

from __future__ import annotations

from collections.abc import Iterator

from cfft.evaluation.files.evaluation import Gap
from cfft.report.sources.records import AVERAGE
from cfft.report.summary import Summary
from cfft.report.tables.tables import Cell, Column, Table

_ENDS = ("difference", "95 % from", "95 % to")
_NOTE = (
    "Intervals are for the choice of images, redrawn for all models together, not for that of "
    "seeds. No curve is used beyond its points."
)


def equal_id(summary: Summary) -> Table:
    """Tabulate every curve at the ID accuracies of its sweep's reference."""
    rows = [
        (
            *(Cell(source.called(row.row)), Cell(source.called(source.found.reference))),
            *(Cell(level.point), Cell(level.id), Cell(row.ood_average), *_gap(row.difference)),
            Cell(row.reached),
        )
        for source in summary.material.frontiers
        for level in source.found.levels
        for row in level.rows
    ]
    return Table(
        "equal-id",
        "OOD average at equal ID accuracy",
        (
            *(Column("row"), Column("reference"), Column("at the point")),
            *_columns(summary),
            Column("reached", "percent"),
        ),
        tuple(rows),
        (_NOTE, "reached: the share of redrawings in which both curves reach the ID accuracy."),
    )


def points_above(summary: Summary) -> Table:
    """Tabulate how far each point lies above the reference's curve at its own ID accuracy."""
    rows = [
        (
            *(Cell(point.name), Cell(source.called(source.found.reference))),
            *(Cell.of(point.sets[source.found.id_set]), Cell.of(point.ood_average)),
            *_gap(point.difference),
        )
        for source in summary.material.frontiers
        for point in source.found.points
        if point.row != source.found.reference
    ]
    return Table(
        "points",
        "Points against the curve of the reference, at their own ID accuracy",
        (Column("point"), Column("reference"), *_columns(summary)),
        tuple(rows),
        (_NOTE,),
    )


def _columns(summary: Summary) -> Iterator[Column]:
    yield Column(summary.id_set, "percent", "id")
    yield Column(AVERAGE, "percent")
    yield from (Column(name, "points") for name in _ENDS)


def _gap(gap: Gap | None) -> tuple[Cell, ...]:
    values = (None,) * len(_ENDS) if gap is None else (gap.difference, *gap.ci95)
    return tuple(map(Cell, values))
