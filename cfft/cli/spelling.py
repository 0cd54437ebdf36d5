"""Commands that tell of wrong words in one line, and that they were interrupted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperCommand

from cfft.cli.errors import RunInterruptedError
from cfft.errors import ConfigError


class SpeltCommand(TyperCommand):
    """Check how options are spelt before Typer parses them, and tell of Ctrl-C."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as Typer does; raises ConfigError for an unknown option and for a wrong value."""
        flags = {
            spelling: getattr(param, "is_flag", False)
            for param in self.get_params(ctx)
            for spelling in param.opts
        }
        check_spelling(args, flags, ctx.command_path)
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            message = error.format_message().rstrip(".")
            raise ConfigError(
                f"{message[:1].lower()}{message[1:]}; see {ctx.command_path} --help"
            ) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises RunInterruptedError at Ctrl-C, which Typer would not tell of."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise RunInterruptedError("interrupted") from None


def check_spelling(words: Sequence[str], flags: Mapping[str, Any], command: str) -> None:
    """Raise ConfigError for the first word that stands where an option does and is none.

    `flags` tells of each option whether it is a flag; after any other the next word is its value,
    however it begins.
    """
    rest = iter(words)
    for word in rest:
        spelling, equals, _ = word.partition("=")
        known = spelling.replace("_", "-")
        flag = {option.replace("_", "-"): is_flag for option, is_flag in flags.items()}.get(known)
        if word == "--":
            return
        if flag is None and word.startswith("-"):
            raise ConfigError(_unknown(spelling, flags, command))
        if flag is False and not equals:
            next(rest, None)


def _unknown(asked: str, options: Mapping[str, Any], command: str) -> str:
    close = get_close_matches(asked, options, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"unknown option {asked}; {hint}all options: {command} --help"
