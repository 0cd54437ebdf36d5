"""Commands whose options are declared as data, and their short help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Annotated, Any

import typer
from rich.markup import escape

from cfft.cli.options.command import HELP_ALL, Command
from cfft.cli.options.completion import completing
from cfft.cli.options.options import PARAMETERS, Option
from cfft.cli.options.volume import with_volume
from cfft.config.choices import choose
from cfft.config.keywords import CHOSEN_KINDS, FILES, Keywords
from cfft.config.layers import LISTS, read_defaults
from cfft.errors import Problems
from cfft.plugin.kinds import KINDS
from cfft.plugin.registry import Registry

_DASHES = {"token_normalize_func": lambda option: option.replace("_", "-")}


class DeclaredCommand(Command):
    """Show in the help what fits two screens; `options`: by the names of Typer's parameters."""

    options: Mapping[str, Option]
    registry: Registry

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show what most people set, and the parameters of what is chosen; no epilogue."""
        if HELP_ALL not in self.words:
            heard, _, _ = self.make_parser(ctx).parse_args(list(self.words))
            shown = {**_shown(self.options, heard, self.registry), "verbose": False}
            for param in self.params:
                param.hidden |= not shown.get(param.name, True)  # type: ignore[attr-defined]
            self.epilog = None
        else:
            for param in self.params:
                if param.rich_help_panel == PARAMETERS:  # type: ignore[attr-defined]
                    param.rich_help_panel = "Parameters of every strategy"  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


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
    cls = type("Command", (DeclaredCommand,), {"options": named, "registry": registry})
    made = with_volume(as_function(named, action))
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
    everything = Annotated[bool, typer.Option(HELP_ALL, help="show every option", metavar="")]
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
        autocompletion=completing(option.values) if option.values else None,
    )


def _type(option: Option) -> Any:
    if option.is_flag:
        return bool
    one = str if option.required else str | None
    return list[str] | None if option.repeated else one


def _shown(
    named: Mapping[str, Option], heard: Mapping[str, Any], registry: Registry
) -> dict[str, bool]:
    """Return which options --help shows, by name, given the values that were parsed."""
    given = {named[n].keyword: v for n, v in heard.items() if n in named and v is not None}
    chosen = _chosen({option.keyword for option in named.values()}, given, registry)
    return {
        name: not option.rare and (option.owner is None or option.owner in chosen)
        for name, option in named.items()
    }


def _chosen(known: Set[str], given: Mapping[str, Any], registry: Registry) -> set[tuple[str, str]]:
    """Return kind and name of the strategies that are given, or else the default.

    A command that knows no recipes starts from no embedded world. Nobody chooses a backbone who has
    not chosen a model.
    """
    keywords = Keywords(registry)
    said = {k: v for k, v in given.items() if k in (*FILES, *CHOSEN_KINDS, "model")}
    several = [kind for kind, value in said.items() if isinstance(value, list)]
    said |= {kind: said[kind][0] for kind in several if kind not in LISTS}  # as previews have them
    embedded = not known.isdisjoint(FILES)
    layers = keywords.layers(said) if embedded else [read_defaults(), keywords.layer(said)]
    picks = choose(registry, layers, Problems()).picks
    names = {kind: [pick.use for pick in each] for kind, each in picks.items()}
    names |= {k: v if isinstance(v, list) else [v] for k, v in given.items() if k in KINDS}
    left_out = () if "model" in given else ("backbone",)
    return {(kind, name) for kind, each in names.items() if kind not in left_out for name in each}
