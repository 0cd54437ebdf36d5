"""What `cfft data verify` shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from cfft.data.copies import Copies
    from cfft.data.verify import SetFinding, Verification

_MOST_SHOWN = 20


def print_verification(console: Console, found: Verification) -> None:
    """Print a table of the sets, then every picture that cannot be read and some of the copies."""
    if found.sets:
        console.print(_table(found))
    for line in _notes(found):
        console.print(line, soft_wrap=True)
    for picture in found.unreadable:
        where = f"{picture.pictures.name}: {picture.path}"
        console.print(f"cannot be read: {where}: {picture.reason}", soft_wrap=True)
    for line in _shared(found.leaks):
        console.print(line, soft_wrap=True)


def _table(found: Verification) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("set", overflow="fold")
    table.add_column("role")
    for column in ("pictures", "expected", "classes", "expected"):
        table.add_column(column, justify="right")
    table.add_column("")
    for each in found.sets:
        table.add_row(*_row(each))
    for name, looked_for in found.absent.items():
        table.add_row(name, "", "absent", "", "", "", looked_for)
    return table


def _row(found: SetFinding) -> tuple[str, ...]:
    wanted = found.expected
    parts = "" if found.whole == found.pictures else " in all parts"
    return (
        found.name,
        found.role,
        f"{found.pictures:,}",
        f"{wanted.pictures:,}{parts}" if wanted else "-",
        str(found.classes),
        str(wanted.classes) if wanted else "-",
        _verdict(len(found.problems)),
    )


def _verdict(problems: int) -> str:
    """Say whether a set is complete; what is wrong with it follows in words."""
    return "ok" if not problems else f"{problems} problem{'' if problems == 1 else 's'}"


def _notes(found: Verification) -> Iterator[str]:
    if found.untrainable:
        yield f"nothing to train on: {found.untrainable}"
    repeated = len(found.copies) - len(found.leaks)
    if repeated:
        yield f"{repeated:,} pictures occur more than once within a set or among OOD sets"
    if not found.decoded:
        yield "no picture was read (--counts-only)"


def _shared(leaks: Sequence[Copies]) -> Iterator[str]:
    for copies in leaks[:_MOST_SHOWN]:
        yield f"the same picture: {' = '.join(map(str, copies.places))}"
    if len(leaks) > _MOST_SHOWN:
        yield f"... and {len(leaks) - _MOST_SHOWN:,} more, which --json lists"
