"""Where the command line writes: plain text, whatever brackets it has."""

from __future__ import annotations

import sys

from rich.console import Console

_NO_WRAPPING = 2000


class _Written(Console):
    """Write until whoever reads has seen enough, as `head` has; that is no failure."""

    def on_broken_pipe(self) -> None:
        try:
            super().on_broken_pipe()
        except SystemExit:
            raise SystemExit(0) from None


def console(*, stderr: bool = False) -> Console:
    """Return a console that wraps at the terminal's width and in a pipe not at all."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _NO_WRAPPING
    return _Written(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)
