"""The candidates of a merge with their validation accuracies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cfft.cli.output.consoles import print_whole, table
from cfft.cli.output.numbers import percent
from cfft.errors import counted
from cfft.runtime.outside import shown
from cfft.training.results import MERGED

if TYPE_CHECKING:  # torch comes with it
    from cfft.evaluation.merging.record import MergeRecord


def print_merge(console: Console, record: MergeRecord) -> None:
    """Print every candidate, the chosen one in bold, and what was chosen; nothing if unmeasured."""
    if not record.candidates:
        return
    if record.start is not None:
        console.print(f"start    {record.start}", soft_wrap=True)
    for number, name in enumerate(record.models, 1):
        console.print(f"model {number}  {name}", soft_wrap=True)
    rows = (
        (Text(shown(each.candidate), "bold" if each.candidate == record.chosen else ""),
         percent(each.val_top1))
        for each in record.candidates
    )  # fmt: skip
    print_whole(console, table(("candidate", "top-1 on validation"), rows))
    for line in _in_words(record):
        console.print(line, soft_wrap=True)


def _in_words(record: MergeRecord) -> Iterator[str]:
    images = "" if record.images is None else f" on {counted(record.images, 'image')}"
    verb = "" if record.chosen == MERGED else "validation chooses "
    yield f"{verb}{record.chosen}: {percent(record.val_top1)} %{images}"
    if record.evaluation is not None:
        yield f"test sets: {record.evaluation}; draw them with cfft report {record.evaluation}"
