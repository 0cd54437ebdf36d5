"""The command `cfft plugins`: what is installed, in tables or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.table import Table

from cfft.cli.consoles import console
from cfft.cli.describe import full_option, metavar, short_option
from cfft.cli.strategy import as_json, print_strategy
from cfft.errors import ConfigError, PluginError, several, unknown
from cfft.interfaces import KINDS
from cfft.plugins import Plugin
from cfft.registry import Registry, broken_line, clash_line

Json = Annotated[bool, typer.Option("--json", help="Print JSON.", metavar="")]


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command with its three sub-commands."""
    plugins = typer.Typer(help=summary, no_args_is_help=True)
    plugins.command("list")(list_strategies)
    plugins.command("show")(show_strategy)
    plugins.command("check")(check_plugins)
    app.add_typer(plugins, name=name)
