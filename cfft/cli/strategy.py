"""One strategy in full: what `cfft plugins show` says."""

from __future__ import annotations

import inspect
from textwrap import indent
from typing import Any

import tomlkit
from rich.console import Console
from rich.padding import Padding

from cfft.cli.describe import facts, full_option, metavar, short_option
from cfft.conversion import plain
from cfft.layers import LISTS
from cfft.params import Declaration, Param
from cfft.plugins import Provided


def strategy_record(provided: Provided) -> dict[str, Any]:
    """Return all that a declaration says, as JSON holds it."""
    declared = provided.declaration
    return {
        **summary_record(provided),
        "doc": inspect.getdoc(declared.cls) or "",
        "parameters": [_param_record(declared, param) for param in declared.params],
        "toml": toml_example(declared),
    }


def summary_record(provided: Provided) -> dict[str, Any]:
    """Return a strategy's name, summary and origin."""
    declared, plugin = provided.declaration, provided.plugin
    return {
        "kind": declared.kind,
        "name": declared.name,
        "summary": declared.summary,
        "plugin": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
    }


def _param_record(declared: Declaration, param: Param) -> dict[str, Any]:
    given = {k: {str(c): plain(v) for c, v in t.items()} for k, t in param.given.items()}
    return {
        "name": param.name,
        "type": param.type_name,
        "required": param.required,
        "default": None if param.required else plain(param.default),
        "given": given,
        "allowed": param.allowed,
        "help": param.help,
        "option": full_option(declared.path, param.name),
        "short": short_option(param.name),
    }


def toml_example(declared: Declaration) -> str:
    """Return the TOML table that chooses the strategy, with its defaults written out."""
    values = {
        p.name: f"<{p.type_name}>" if p.required else plain(p.default) for p in declared.params
    }
    table = {"use": declared.name, **values}
    return tomlkit.dumps({declared.kind: [table] if declared.kind in LISTS else table})


def print_strategy(console: Console, provided: Provided) -> None:
    """Print a strategy's doc-string, its parameters with every spelling, and its TOML table."""
    declared, plugin = provided.declaration, provided.plugin
    console.print(f"{declared.kind} {declared.name}", style="bold", end="")
    console.print(f"  from {plugin.distribution} {plugin.version}", style="dim")
    console.print()
    console.print(inspect.getdoc(declared.cls) or "no doc-string", soft_wrap=True)
    for param in declared.params:
        _print_param(console, declared, param)
    console.print("\nIn TOML:", style="bold")
    console.print(indent(toml_example(declared).rstrip(), "  "), soft_wrap=True)


def _print_param(console: Console, declared: Declaration, param: Param) -> None:
    options = f"{full_option(declared.path, param.name)} {metavar(param)}"
    console.print(f"\n{options}", style="cyan", end="")
    console.print(f"  in short {short_option(param.name)}", style="dim")
    text = f"{param.help} {facts(param)}"
    console.print(Padding(text, (0, 0, 0, 2), expand=False))
