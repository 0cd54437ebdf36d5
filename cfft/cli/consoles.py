"""Where the command line writes: plain text, whatever brackets it has."""

from __future__ import annotations

import sys

from rich.console import Console

_NO_WRAPPING = 2000


def console(*, stderr: bool = False) -> Console:
    """Return a console that wraps at the terminal's width and in a pipe not at all."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _NO_WRAPPING
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)
