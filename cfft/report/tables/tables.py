"""Tables whose cells keep the numbers that they spell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import attrs

from cfft.evaluation.files.evaluation import Interval
from cfft.scoring.spread import Spread

Form = Literal["text", "percent", "points", "count", "mean", "number"]
NOTHING = "-"
_NUMBERS: Mapping[Form, tuple[int, str]] = {
    "text": (1, ".3f"),
    "percent": (100, ".1f"),
    "points": (100, "+z.1f"),
    "count": (1, ".0f"),
    "mean": (1, ".1f"),
    "number": (1, ".3f"),
}


@attrs.frozen
class Cell:
    """Hold a value (a share, a number or a text), its standard deviation, and if it is the best.

    `ci95`: a 95 % confidence interval that is shown beside it.
    """

    value: float | str | None
    std: float | None = None
    is_best: bool = False
    ci95: Interval | None = None

    @classmethod
    def of(cls, spread: Spread | None, ci95: Interval | None = None) -> Cell:
        """Make a cell of a mean, with its standard deviation where there are seeds."""
        return cls(None) if spread is None else cls(spread.mean, spread.std, ci95=ci95)


@attrs.frozen
class Column:
    """Hold a heading; `role` is id, ood or nothing; `form` says how values are spelt.

    percent and points are shares that are shown times 100, points with a sign; mean is that of
    counts.
    """

    title: str
    form: Form = "text"
    role: str = ""

    @property
    def heading(self) -> str:
        """The title with the role, for where there is no other mark of it."""
        return f"{self.title} ({self.role.upper()})" if self.role else self.title

    def spell(self, cell: Cell) -> str:
        if cell.value is None:
            return NOTHING
        if isinstance(cell.value, str):
            return cell.value
        factor, form = _NUMBERS[self.form]
        spelt = format(factor * cell.value, form)
        if cell.std is not None:
            spelt = f"{spelt} ± {100 * cell.std:.1f}"
        if cell.ci95 is not None:
            spelt = f"{spelt} ({' to '.join(format(factor * end, form) for end in cell.ci95)})"
        return spelt


@attrs.frozen
class Table:
    """Hold a table; `name` is that of its files, `notes` are sentences below it."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def spelt(self) -> list[list[str]]:
        """Return the texts of all cells, row by row."""
        return [
            [column.spell(cell) for column, cell in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]


def with_best(
    rows: Iterable[Sequence[Cell]], columns: Iterable[int]
) -> tuple[tuple[Cell, ...], ...]:
    """Mark the largest values of columns, as they are spelt, where there are several rows."""
    table = [list(row) for row in rows]
    for index in columns if len(table) > 1 else ():
        shown = [_tenths(row[index]) for row in table]
        for row, value in zip(table, shown, strict=True):
            if value is not None and value == max(v for v in shown if v is not None):
                row[index] = attrs.evolve(row[index], is_best=True)
    return tuple(map(tuple, table))


def _tenths(cell: Cell) -> float | None:
    return round(100 * cell.value, 1) if isinstance(cell.value, (int, float)) else None
