"""Commands and groups that tell of wrong words in one line, and that they were interrupted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import takewhile
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from cfft.cli.errors import RunInterruptedError
from cfft.errors import ConfigError, unknown


class SpeltGroup(TyperGroup):
    """Tell of an unknown command, and of an unknown option before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as Typer does; raises ConfigError for an unknown option of the group itself."""
        if not args:
            return super().parse_args(ctx, args)  # shows the help
        own = list(takewhile(lambda word: word.startswith("-"), args))
        check_spelling(own, _flags(self.get_params(ctx)), ctx.command_path)
        with _in_one_line(ctx.command_path):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command as Typer does; raises ConfigError for an unknown one."""
        if self.get_command(ctx, args[0]) is None:
            raise ConfigError(unknown("command", args[0], self.list_commands(ctx)))
        return super().resolve_command(ctx, args)


class SpeltCommand(TyperCommand):
    """Check how options are spelt before Typer parses them, and tell of Ctrl-C."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as Typer does; raises ConfigError for an unknown option and for a wrong value."""
        check_spelling(args, _flags(self.get_params(ctx)), ctx.command_path)
        with _in_one_line(ctx.command_path):
            return super().parse_args(ctx, args)

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


def _flags(params: Iterable[Any]) -> dict[str, bool]:
    """Return of each spelling of an option whether it is a flag; arguments are none."""
    return {
        spelling: param.is_flag
        for param in params
        if isinstance(param, TyperOption)
        for spelling in (*param.opts, *param.secondary_opts)
    }


@contextmanager
def _in_one_line(command: str) -> Iterator[None]:
    """Raise ConfigError for what Typer would tell in a box."""
    try:
        yield
    except typer.TyperException as error:
        message = error.format_message().rstrip(".")
        raise ConfigError(f"{message[:1].lower()}{message[1:]}; see {command} --help") from None
