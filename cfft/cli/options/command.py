"""Commands and groups: options from declarations, short help, wrong words told in one line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup

from cfft.cli.errors import RunInterruptedError
from cfft.cli.options.options import Option
from cfft.config.keywords import FILES, Keywords
from cfft.config.layers import Layer, read_defaults
from cfft.errors import ConfigError, unknown
from cfft.plugin.registry import Registry

_HELP, _ALL = "--help", "--help-all"
_DASHES = {"token_normalize_func": lambda option: option.replace("_", "-")}


class Command(TyperCommand):
    """Tell of wrong words in one line, and of Ctrl-C."""

    options: Mapping[str, Option] = {}
    registry: Registry | None = None
    words: Sequence[str] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as Typer does; raises ConfigError for an unknown option and for a wrong value."""
        self.words = list(args)
        with _in_one_line(ctx.command_path, self.words):
            return super().parse_args(ctx, [_HELP] if _ALL in args else args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show what most people set, and the parameters of what is chosen; no epilogue."""
        if self.registry is not None and _ALL not in self.words:
            heard, _, _ = self.make_parser(ctx).parse_args(list(self.words))
            shown = _shown(self.options, heard, self.registry)
            for param in self.params:
                param.hidden |= not shown.get(param.name, True)  # type: ignore[attr-defined]
            self.epilog = None
        super().format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises RunInterruptedError at Ctrl-C, which Typer would not tell of."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise RunInterruptedError("interrupted") from None


class Group(TyperGroup):
    """Tell of an unknown command, and of an unknown option before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as Typer does; raises ConfigError for an unknown option of the group itself."""
        if not args:
            return super().parse_args(ctx, args)  # shows the help
        with _in_one_line(ctx.command_path, list(args)):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command as Typer does; raises ConfigError for an unknown one."""
        if self.get_command(ctx, args[0]) is None:
            raise ConfigError(unknown("command", args[0], self.list_commands(ctx)))
        return super().resolve_command(ctx, args)


def add_command(
    app: typer.Typer,
    name: str,
    options: Sequence[Option],
    action: Callable[..., None],
    registry: Registry,
    *,
    help: str,
    epilog: str | None = None,
) -> None:
    """Add a command that calls `action` with the keywords that were given."""
    named = {f"option_{number}": option for number, option in enumerate(options)}
    cls = type("Command", (Command,), {"options": named, "registry": registry})
    made = as_function(named, action)
    app.command(name, cls=cls, help=help, epilog=epilog, context_settings=_DASHES)(made)


def as_function(named: Mapping[str, Option], action: Callable[..., None]) -> Callable[..., None]:
    """Return a function with one parameter per option, for Typer to read.

    A list of TyperOption would be shorter, but they need a type descriptor, which Typer 0.29 makes
    from signatures alone outside its private modules.
    """

    def command(**values: Any) -> None:
        action(
            **{
                option.keyword: option.parsed(values[name])
                for name, option in named.items()
                if values[name] not in (None, False, [])
            }
        )

    parameters = [_parameter(name, option) for name, option in named.items()]
    everything = Annotated[bool, typer.Option(_ALL, help="Show every option.", metavar="")]
    last = inspect.Parameter("all", inspect.Parameter.KEYWORD_ONLY, default=False)
    parameters.append(last.replace(annotation=everything))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _parameter(name: str, option: Option) -> inspect.Parameter:
    shown = _option(option)
    if option.is_argument:
        shown = typer.Argument(help=shown.help, metavar=option.metavar, show_default=False)
    absent: Any = inspect.Parameter.empty if option.required else False if option.is_flag else None
    typed: Any = Annotated[_type(option), shown]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=absent, annotation=typed)


def _option(option: Option) -> Any:
    return typer.Option(
        option.spelling,
        help=escape(option.help),
        metavar=option.metavar,
        rich_help_panel=option.panel or None,
        hidden=option.hidden,
        show_default=False,
    )


def _type(option: Option) -> Any:
    if option.is_flag:
        return bool
    one = str if option.required else str | None
    return list[str] | None if option.repeated else one


def _shown(
    named: Mapping[str, Option], heard: Mapping[str, Any], registry: Registry
) -> dict[str, bool]:
    """Tell of each option whether --help shows it beside what was `heard`, both by name."""
    given = {named[n].keyword: v for n, v in heard.items() if n in named and v is not None}
    has_files = any(option.keyword in FILES for option in named.values())
    files = {keyword: given[keyword] for keyword in FILES if keyword in given}
    layers = Keywords(registry).layers(files) if has_files else [read_defaults()]
    chosen = _chosen(given, layers, registry)
    return {
        name: not option.rare
        if option.owner is None
        else option.owner[1] in chosen.get(option.owner[0], ())
        for name, option in named.items()
    }


def _chosen(
    given: Mapping[str, Any], layers: Iterable[Layer], registry: Registry
) -> dict[str, list[str]]:
    """Return the names of the strategies that are given, or else the default, by kind.

    Nobody chooses a backbone who has not chosen a model.
    """
    chosen: dict[str, list[str]] = {}
    for layer in layers:
        chosen |= {kind: [pick.use for pick in picks] for kind, picks in layer.chosen.items()}
    prefix = given.get("model", "").partition(":")[0]
    if prefix in ("", *registry.names("backbone")):
        chosen["backbone"] = [prefix]
    return chosen | {k: v if isinstance(v, list) else [v] for k, v in given.items()}


@contextmanager
def _in_one_line(command: str, words: Sequence[str]) -> Iterator[None]:
    """Raise ConfigError for what Typer would tell in a box."""
    try:
        yield
    except typer.TyperException as error:
        if hasattr(error, "possibilities"):  # an unknown option
            raise ConfigError(_unknown(error, command, words)) from None
        message = error.format_message().rstrip(".")
        raise ConfigError(f"{message[:1].lower()}{message[1:]}; see {command} {_HELP}") from None


def _unknown(error: Any, command: str, words: Sequence[str]) -> str:
    """Name the option as it was written (Typer takes the -lr of a command without -l for -l)."""
    asked: str = error.option_name
    written = (word.partition("=")[0] for word in words if word.startswith(asked))
    hint = f"did you mean {error.possibilities[0]}? " if error.possibilities else ""
    return f"unknown option {next(written, asked)}; {hint}all options: {command} {_HELP}"
