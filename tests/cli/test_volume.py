"""--quiet and --verbose, which every command has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Command = Callable[..., Any]


@pytest.mark.parametrize(
    "command",
    [
        *("run", "eval", "eval masks", "predict", "preview", "merge wise", "export", "sweep"),
        *("report", "data list", "data verify", "plugins list", "plugins show", "plugins check"),
        *("plugins new", "doctor"),
    ],
)
def test_every_command_has_both(command: str, cfft_command: Command) -> None:
    words = command.split()

    told = cfft_command(*words, "--quiet", "--verbose", "--help-all")

    assert told.code == 0
    assert "--quiet" in told.out
    assert "--verbose" in told.out


def test_results_stay_when_a_command_is_quiet(cfft_command: Command) -> None:
    loud, quiet = cfft_command("plugins", "list"), cfft_command("plugins", "list", "-q")

    assert quiet.out == loud.out != ""


def test_both_at_once_are_refused(cfft_command: Command) -> None:
    ended = cfft_command("plugins", "list", "--quiet", "--verbose")

    assert ended.code == 2
    assert ended.err == ("error: --quiet and --verbose contradict each other: give one of them\n")


def test_verbose_says_where_an_error_comes_from(cfft_command: Command) -> None:
    short = cfft_command("plugins", "show", "mask.no-such-mask")
    long = cfft_command("plugins", "show", "mask.no-such-mask", "--verbose")

    assert short.code == long.code == 2
    assert long.err.startswith("Traceback (most recent call last):")
    assert long.err.endswith(short.err)
