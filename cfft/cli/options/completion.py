"""Completion in shells: which command is being typed, and which values an option takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

_ASKED = "_CFFT_COMPLETE"
_TYPED = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")
"""Variables by which Typer's scripts pass what was typed: that of bash, and of other shells."""


def words_typed(environment: Mapping[str, str]) -> list[str] | None:
    """Return the words after `cfft` that a shell wants completed, None if none does."""
    if _ASKED not in environment:
        return None
    typed = next((environment[name] for name in _TYPED if name in environment), "")
    return typed.split()[1:]


def completing(values: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a function from the beginning of a word to the values that begin so, for Typer."""

    def matching(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return matching
