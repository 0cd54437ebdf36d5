"""Commands and groups that report wrong words, and interruptions, in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from cfft.cli.errors import RunInterruptedError
from cfft.errors import ConfigError, unknown_name

HELP, HELP_ALL = "--help", "--help-all"
AsJson = Annotated[bool, typer.Option("--json", help="print JSON and nothing else", metavar="")]


class Command(TyperCommand):
    """Report wrong words, and Ctrl-C, in one line."""

    words: Sequence[str] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as Typer does; raises ConfigError for an unknown option and for a wrong value."""
        self.words = list(args)
        with _in_one_line(ctx.command_path, self.words, HELP_ALL):
            return super().parse_args(ctx, [HELP] if HELP_ALL in args else args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises RunInterruptedError at Ctrl-C, which Typer would not report."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise RunInterruptedError("interrupted") from None


class CommandGroup(TyperGroup):
    """Report an unknown command, and an unknown option before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as Typer does; raises ConfigError for an unknown option of the group itself."""
        if not args:
            return super().parse_args(ctx, args)  # shows the help
        with _in_one_line(ctx.command_path, list(args), HELP):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command as Typer does; raises ConfigError for an unknown one."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            raise ConfigError(unknown_name("command", args[0], self.list_commands(ctx)))
        return super().resolve_command(ctx, args)


@contextmanager
def _in_one_line(command: str, words: Sequence[str], everything: str) -> Iterator[None]:
    """Raise ConfigError for what Typer would tell in a box; `everything`: shows all options."""
    try:
        yield
    except typer.TyperException as error:
        if hasattr(error, "possibilities"):  # an unknown option
            raise ConfigError(_unknown(error, f"{command} {everything}", words)) from None
        message = error.format_message().rstrip(".").replace("Value error, ", "")
        raise ConfigError(f"{message[:1].lower()}{message[1:]}; see {command} {HELP}") from None


def _unknown(error: Any, listing: str, words: Sequence[str]) -> str:
    """Name the option as it was written (Typer takes the -lr of a command without -l for -l)."""
    asked: str = error.option_name
    written = (word.partition("=")[0] for word in words if word.startswith(asked))
    hint = f"did you mean {error.possibilities[0]}? " if error.possibilities else ""
    return f"unknown option {next(written, asked)}; {hint}all options: {listing}"
