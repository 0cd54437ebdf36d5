"""Consoles that write plain text, brackets included, and tables that fit them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from cfft.runtime.outside import shown

_NO_WRAPPING = 2000
_NAME = 12  # of a name, columns that stay in the narrowest table


class _Plain(Console):
    """Write texts from outside as a terminal may have them."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(shown(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            plain = Segment(shown(segment.text), segment.style)
            yield segment if segment.control else plain


def table(
    columns: Iterable[str],
    rows: Iterable[Iterable[str | Text]],
    *,
    names: int = 1,
    title: str | None = None,
    caption: str | None = None,
) -> Table:
    """Return a table: `names` columns of text, which may wrap, then columns of numbers."""
    made = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for place, column in enumerate(columns):
        if place < names:
            made.add_column(column, overflow="fold")
        else:
            made.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        made.add_row(*row)
    return made


def listing(*columns: str) -> Table:
    """Return an empty table of names and words, without lines."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def print_whole(console: Console, table: Table) -> None:
    """Print a table of a name and numbers per row; numbers are never cut, nor names left out.

    Where the terminal is too narrow for that its lines are longer.
    """
    for column in table.columns:
        widest = max(cell_len(shown(str(cell))) for cell in (column.header, *column.cells))
        column.min_width = min(widest, _NAME) if column is table.columns[0] else widest
    needed = sum((column.min_width or 0) + 3 for column in table.columns) + 1
    table.width = needed if needed > console.width else None
    console.print(table, crop=False)


def console(*, stderr: bool = False) -> Console:
    """Return a console that wraps at the terminal's width and in a pipe not at all."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _NO_WRAPPING
    return _Plain(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)
