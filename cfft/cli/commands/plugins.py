"""The command `cfft plugins`: list, show and check what is installed, begin a package."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cfft.cli.options.command import AsJson, Command, CommandGroup
from cfft.cli.options.volume import with_volume
from cfft.cli.output.consoles import console, listing
from cfft.cli.output.strategy import print_strategy, strategy_record, summary_record
from cfft.errors import ConfigError, PluginError, counted, unknown_name
from cfft.plugin.kinds import KINDS
from cfft.plugin.new_package import PACKAGE_KINDS, RUN_HOOKS, NewPackage
from cfft.plugin.registry import Plugin, Provided, Registry, broken_line, clash_line
from cfft.runtime.files import is_remains, user_path
from cfft.runtime.outputs import appearing
from cfft.runtime.outside import shell_word

KindName = Annotated[
    str | None, typer.Option("--kind", help=f"one kind: {', '.join(KINDS)}", metavar="KIND")
]
Words = Annotated[
    list[str],
    typer.Argument(help="strategy, also written KIND NAME; KIND: all of it", metavar="KIND.NAME"),
]
PluginName = Annotated[
    str | None, typer.Argument(help="plug-in or distribution \\[default all]", metavar="NAME")
]
NewName = Annotated[str, typer.Argument(help="name of the strategy to write", metavar="NAME")]
PackageKind = Annotated[
    str, typer.Option("--kind", help=f"one of {', '.join(PACKAGE_KINDS)}", metavar="KIND")
]
Parent = Annotated[
    Path, typer.Option("--out", help="folder to put the package's own into", metavar="DIR")
]


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command with its three sub-commands."""
    plugins = typer.Typer(cls=CommandGroup, help=summary, no_args_is_help=True)
    plugins.command("list", cls=Command)(with_volume(list_strategies))
    plugins.command("show", cls=Command)(with_volume(show_strategy))
    plugins.command("check", cls=Command)(with_volume(check_plugins))
    plugins.command("new", cls=Command)(with_volume(new_plugin))
    app.add_typer(plugins, name=name)


def list_strategies(kind: KindName = None, as_json: AsJson = False) -> None:
    """List what is installed, broken plug-ins and names that two plug-ins claim."""
    if kind is not None:
        _check_kind(kind)
    registry = Registry.installed()
    shown = [p for name in KINDS if kind in (None, name) for p in registry.of_kind(name)]
    if as_json:
        typer.echo(json.dumps(_listing(registry, shown), indent=2))
    else:
        _print_listing(registry, shown)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ConfigError(unknown_name("kind", kind, KINDS))


def _check_kind_of_name(registry: Registry, kind: str) -> None:
    """Check the kind; a strategy's name in its place is answered with what to write."""
    commands = [f"cfft plugins show {k}.{kind}" for k in KINDS if kind in registry.names(k)]
    if commands and kind not in KINDS:
        raise ConfigError(f"'{kind}' is a name and its kind is missing: {' or '.join(commands)}")
    _check_kind(kind)


def _listing(registry: Registry, shown: list[Provided]) -> dict[str, Any]:
    return {
        "strategies": [summary_record(provided) for provided in shown],
        "broken": [_plugin_record(plugin) for plugin in registry.broken],
        "clashes": [
            {"kind": kind, "name": name, "plugins": [_plugin_record(p) for p in providers]}
            for (kind, name), providers in registry.clashes().items()
        ],
    }


def _plugin_record(plugin: Plugin) -> dict[str, Any]:
    return {
        "plugin": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "error": plugin.error,
    }


def _print_listing(registry: Registry, shown: list[Provided]) -> None:
    out = console()
    table = listing("kind", "name", "what it does", "from")
    for column in table.columns[:2]:
        column.no_wrap = True
    for provided in shown:
        declared, plugin = provided.declaration, provided.plugin
        origin = f"{plugin.distribution} {plugin.version}"
        table.add_row(declared.kind, declared.name, declared.summary, origin)
    out.print(table)
    for line in _problems(registry, registry.plugins):
        out.print(line, style="red", soft_wrap=True)


def _problems(registry: Registry, plugins: Sequence[Plugin]) -> list[str]:
    """List plug-ins that cannot be used, and names that any of them shares with another."""
    clashes = registry.clashes().items()
    return [
        *(broken_line(plugin) for plugin in plugins if plugin.error is not None),
        *(
            clash_line(kind, name, providers)
            for (kind, name), providers in clashes
            if any(provider in plugins for provider in providers)
        ),
    ]


def show_strategy(words: Words, as_json: AsJson = False) -> None:
    """Show a strategy's description, parameters, options and TOML table; KIND alone lists it."""
    kind, _, name = " ".join(words).replace(".", " ", 1).partition(" ")
    if kind in KINDS and not name:
        return list_strategies(kind, as_json)
    registry = Registry.installed()
    _check_kind_of_name(registry, kind)
    provided = registry.find(kind, name)
    if as_json:
        typer.echo(json.dumps(strategy_record(registry, provided), indent=2))
    else:
        print_strategy(console(), registry, provided)
    return None


def check_plugins(name: PluginName = None) -> None:
    """Check that plug-ins load, do not share names and keep the rules of their kind."""
    # torch comes with it; listings do without
    from cfft.testing.complaints import complaints, runs_alone

    registry = Registry.installed()
    plugins = [p for p in registry.plugins if name in (None, p.name, p.distribution)]
    if not plugins:
        known = {n for p in registry.plugins for n in (p.name, p.distribution)}
        raise ConfigError(unknown_name("plug-in", str(name), known, "installed"))
    checked = [p for p in registry.provided if p.plugin in plugins]
    problems = [*_problems(registry, plugins), *complaints(checked)]
    if problems:
        raise PluginError(*problems)
    strategies = counted(len(checked), "strategy", "strategies")
    found = f"{counted(len(plugins), 'plug-in')} with {strategies}"
    typer.echo(f"{found}: all is well")
    others = [p.declaration.path for p in checked if not runs_alone(p.declaration)]
    if others:
        typer.echo(
            "what they do was not tried, as it takes more than default values, or another package: "
            f"{', '.join(others)}: see cfft.testing.check_strategy"
        )


def new_plugin(name: NewName, kind: PackageKind, out: Parent = Path()) -> None:
    """Write a package with a working strategy of a kind, its tests, a README and a workflow."""
    package = NewPackage.checked(name, kind, Registry.installed())
    folder = user_path(out) / package.distribution
    found = [*folder.iterdir()] if folder.is_dir() else []
    is_left = bool(found) and all(map(is_remains, found))  # by a process that was killed
    if folder.is_symlink() or (folder.exists() and not is_left):
        raise ConfigError(f"{folder} exists: give another NAME, or another folder with --out")
    with appearing(folder, "meanwhile: the package is complete in {}".format) as made:
        for path, text in package.files().items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_text(text, "utf-8")
    holds = "run hooks" if kind == RUN_HOOKS else f"the {kind} '{package.name}'"
    typer.echo(f"{folder}: the package {package.distribution} with {holds}")
    for line in (f"cd {shell_word(str(folder))}", 'python -m pip install -e ".[dev]"', "pytest"):
        typer.echo(f"  {line}")
