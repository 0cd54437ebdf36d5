"""The command line: commands, their options, and what they print.

Commands collect what was asked for, call the room below and show what it returns; `run` and `eval`
call the functions behind `cfft.run` and `cfft.evaluate`. No logic of its own. Nothing here imports
torch before a command needs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cfft.cli.errors import reported, starting
from cfft.cli.streams import lasting_streams


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with 0, 1, 2, 130 or 143."""
    words = sys.argv[1:] if argv is None else list(argv)
    with lasting_streams() as streams, reported(), streams.checked():
        with starting():
            from cfft.cli.application import application  # it takes time, and Ctrl-C may come
            from cfft.cli.options.completion import words_typed
            from cfft.runtime.processors import set_threads

            set_threads(os.environ)
            typed = words_typed(os.environ)
            app = application(words if typed is None else typed, completing=typed is not None)
            if any("~" in word for word in words):  # attrs comes with it: --help does without
                from cfft.runtime.files import with_home

                words = [with_home(word) for word in words]  # shells do not, after --out=
        app(words, prog_name="cfft")
