"""The table of `cfft data prepare`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from cfft.cli.output.consoles import listing

if TYPE_CHECKING:
    from cfft.data.preparing import PreparedSet


def print_prepared(console: Console, sets: Sequence[PreparedSet]) -> None:
    """Print how many images of each set are prepared, and where they lie."""
    table = listing("set", "images", "prepared", "new")
    for column in table.columns[1:]:
        column.justify = "right"
    for each in sets:
        table.add_row(each.name, f"{each.images:,}", f"{each.stored:,}", f"{each.new:,}")
    console.print(table)
    for each in sets:
        if each.reason is not None:
            console.print(f"not prepared: {each.name}: {each.reason}", soft_wrap=True)
    for folder in dict.fromkeys(each.folder for each in sets if each.folder is not None):
        console.print(f"in {folder}", soft_wrap=True)
