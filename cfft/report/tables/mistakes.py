"""The tables of the most frequent mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cfft.report.confusion import LARGEST_MAP, Confusion, Pair
from cfft.report.tables.tables import Cell, Column, Table

_ROUNDING = 1e-6


def most_frequent(confusions: Sequence[Confusion]) -> Table:
    """Tabulate the most frequent mistakes of each configuration on each OOD set."""
    rows = [
        (Cell(found.group), Cell(found.set), *_row(pair))
        for found in confusions
        for pair in found.pairs()
    ]
    columns = (Column("model"), Column("set"), *_columns(confusions))
    notes = ("Images and shares are means over seeds.",)
    return Table("confusion", "Most frequent mistakes", columns, tuple(rows), notes)


def of_one(confusion: Confusion) -> Table:
    """Tabulate the mistakes of one configuration on one set, and say what is left out."""
    pairs = confusion.pairs()
    return Table(
        "mistakes",
        f"{confusion.group} on {confusion.set}",
        _columns([confusion]),
        tuple(map(_row, pairs)),
        tuple(_notes(confusion, pairs)),
    )


def _columns(confusions: Sequence[Confusion]) -> tuple[Column, ...]:
    has_seeds = any(found.models > 1 for found in confusions)
    return (
        Column("true class"),
        Column("taken for"),
        Column("images", "mean" if has_seeds else "count"),
        Column("% of class", "percent"),
    )


def _row(pair: Pair) -> tuple[Cell, ...]:
    return Cell(pair.true), Cell(pair.chosen), Cell(pair.images), Cell(pair.share)


def _notes(confusion: Confusion, pairs: Sequence[Pair]) -> Iterator[str]:
    over = f"Mean over {confusion.models} seeds: of" if confusion.models > 1 else "Of"
    wrong = f"{confusion.mistaken:,.1f}".removesuffix(".0")
    yield (
        f"{over} {confusion.images:,.0f} images, {wrong} were taken for another class"
        f"{_named(pairs, confusion.mistaken)}."
    )
    if not confusion.is_drawable:
        yield (
            f"No heat map: {len(confusion.classes):,} classes occur here, and one of more than "
            f"{LARGEST_MAP} cannot be read."
        )


def _named(pairs: Sequence[Pair], wrong: float) -> str:
    named = sum(pair.images for pair in pairs)
    if named > wrong - _ROUNDING:
        return ""
    return f"; the {len(pairs)} pairs above are {100 * named / wrong:.0f} % of these mistakes"
