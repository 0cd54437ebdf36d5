"""The command line: commands, their options, and what they print.

Commands collect what was asked for, call the Python API and show what it returns. No logic of its
own: whatever a command can do, `import cfft` can do. Nothing here imports torch before a command
needs it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cfft.cli.errors import reported, starting


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with 0, 1, 2, 130 or 143."""
    words = sys.argv[1:] if argv is None else list(argv)
    with reported():
        with starting():
            from cfft.cli.application import application  # it takes time, and Ctrl-C may come

            app = application(words)
        app(words, prog_name="cfft")
