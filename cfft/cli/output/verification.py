"""The table and the messages of `cfft data verify`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from cfft.cli.output.consoles import listing
from cfft.data.passed_over import beside_the_sets, spelled
from cfft.errors import counted, shortened_list

if TYPE_CHECKING:
    from cfft.data.verification.copies import Copies
    from cfft.data.verification.findings import SetFinding
    from cfft.data.verification.verify import Verification

_MOST_SHOWN = 20


def print_verification(console: Console, found: Verification) -> None:
    """Print a table of the sets, then every image that cannot be read and some of the copies."""
    if found.sets or found.absent or found.refused:
        console.print(_table(found))
    for line in _notes(found):
        console.print(line, soft_wrap=True)
    for doubt in (doubt for each in found.sets for doubt in each.doubts):
        console.print(f"warning: {doubt}", style="yellow", soft_wrap=True)
    for image in found.unreadable:
        where = f"{image.images.name}: {image.path}"
        console.print(f"cannot be read: {where}: {image.reason}", soft_wrap=True)
    for line in _repeated("same image", found.leaks):
        console.print(line, soft_wrap=True)
    for line in _repeated("same image with several labels", found.contradictions):
        console.print(line, soft_wrap=True)


def _table(found: Verification) -> Table:
    made = listing("set", "role", "images", "expected", "classes", "expected", "")
    for column in made.columns[2:6]:
        column.justify = "right"
    for each in found.sets:
        made.add_row(*_row(each), _verdict(found.problems_of(each), each))
    for name in found.refused:
        made.add_row(name, "", "refused", "", "", "", counted(1, "problem"))
    for name in found.absent:
        made.add_row(name, "", "absent", "", "", "", "-")
    return made


def _row(found: SetFinding) -> tuple[str, ...]:
    wanted = found.expected
    parts = "" if found.whole == found.images else " in all parts"
    return (
        found.name,
        found.role,
        f"{found.images:,}",
        f"{wanted.images:,}{parts}" if wanted else "-",
        str(found.classes),
        str(wanted.classes) if wanted else "-",
    )


def _verdict(problems: int, found: SetFinding) -> str:
    """Sum a set up; one without images or problems is part of a whole that cannot be divided."""
    if problems:
        return counted(problems, "problem")
    return "ok" if found.images else "-"


def _notes(found: Verification) -> Iterator[str]:
    for name, looked_for in found.absent.items():
        yield f"absent: {name}: {looked_for}"
    if found.untrainable:
        yield f"nothing to train on: {found.untrainable}"
    for what, names, why in beside_the_sets(found.unread):
        yield f"ignored {what} ({why}): {names}"
    for each in found.sets:
        if each.passed_over:
            yield f"passed over in {each.name}: {spelled(each.passed_over)}"
    repeated = len(found.copies) - len(found.leaks)
    if repeated:
        occur = "occurs" if repeated == 1 else "occur"
        yield (
            f"{counted(repeated, 'image')} {occur} more than once within a set or among OOD sets"
        )
    if not found.decoded:
        yield "images were not read (--counts-only)"


def _repeated(what: str, images: Sequence[Copies]) -> Iterator[str]:
    for copies in images[:_MOST_SHOWN]:
        yield f"{what} in {shortened_list(copies.places, between=' and ')}"
    if len(images) > _MOST_SHOWN:
        yield f"... and {len(images) - _MOST_SHOWN:,} more, listed by --json"
