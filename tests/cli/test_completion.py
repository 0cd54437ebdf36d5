"""Completion in shells, as Typer's scripts ask for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cfft.cli.options.completion import completing, words_typed

ASK = """
import sys
from cfft.cli import main
try:
    main([])
except SystemExit as end:
    assert not end.code, end.code
assert "torch" not in sys.modules
"""


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("cfft run --mask o", ["object"]),
        (
            "cfft run --recipe object-",
            [f"object-{name}" for name in ("context", "multi", "none", "single")],
        ),
        ("cfft plugins sh", ["show"]),
    ],
)
def test_a_shell_is_told_what_is_installed_without_torch(typed: str, expected: list[str]) -> None:
    place = str(len(typed.split()) - 1)
    asked = {"_CFFT_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": place}

    done = subprocess.run(
        [sys.executable, "-c", ASK],
        capture_output=True, text=True, check=True, env={**os.environ, **asked},
    )  # fmt: skip

    assert done.stdout.split() == expected


def test_words_are_those_that_the_shell_has_typed_so_far() -> None:
    asked = {"_CFFT_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "cfft run --mask "}

    assert words_typed(asked) == ["run", "--mask"]
    assert words_typed({"COMP_WORDS": "cfft run"}) is None


def test_values_are_completed_from_their_beginning() -> None:
    assert completing(["object", "context"])("c") == ["context"]
