"""Tables of a sweep's frontier: rows at equal ID accuracy, and points against a curve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cfft.cli.output.numbers import percent, points, spread

if TYPE_CHECKING:
    from cfft.evaluation.compare.frontier import FrontierResults, Level, RowAtId
    from cfft.evaluation.files.evaluation import Gap

Lines = list[list[str]]
"""The cells of a table, line by line; the first one holds the headings."""


def frontier_tables(found: FrontierResults) -> Iterator[tuple[str, Lines]]:
    """Go through titles and tables, in percent."""
    against = f"{found.reference} (points, 95 % over images)"
    yield (
        f"OOD average at equal ID accuracy, and its difference from {against}",
        [
            ["row", *map(_heading, found.levels)],
            *(
                [row[0].row, *(_at_id(each, found.reference) for each in row)]
                for row in zip(*(level.rows for level in found.levels), strict=True)
            ),
        ],
    )
    others = [point for point in found.points if point.row != found.reference]
    yield (
        f"points by their own ID accuracy, and how far above the curve of {against}",
        [
            ["point", found.id_set, "OOD average", "difference"],
            *(
                [
                    point.name,
                    spread(point.sets[found.id_set]),
                    spread(point.ood_average),
                    _gap(point.difference),
                ]
                for point in others
            ),
        ],
    )


def _heading(level: Level) -> str:
    return percent(level.id) + (f" ({level.point})" if level.point else "")


def _at_id(row: RowAtId, reference: str) -> str:
    if row.row == reference or row.difference is None:
        return percent(row.ood_average)
    return f"{percent(row.ood_average)}, {_gap(row.difference)}"


def _gap(gap: Gap | None) -> str:
    if gap is None:
        return "-"
    low, high = (points(0, end) for end in gap.ci95)
    return f"{points(0, gap.difference)} ({low} to {high})"
