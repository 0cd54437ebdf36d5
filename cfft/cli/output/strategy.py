"""One strategy in full: what `cfft plugins show` says."""

from __future__ import annotations

import inspect
from textwrap import indent
from typing import Any

import tomlkit
from rich.console import Console
from rich.padding import Padding

from cfft.cli.options.describe import facts, metavar
from cfft.cli.options.options import has_short
from cfft.config.keywords import spelled
from cfft.config.layers import LISTS
from cfft.plugin.conversion import plain
from cfft.plugin.params import Declaration, Param, short_option
from cfft.plugin.registry import Provided, Registry


def strategy_record(registry: Registry, provided: Provided) -> dict[str, Any]:
    """Return all that a declaration says, as JSON holds it."""
    declared = provided.declaration
    return {
        **summary_record(provided),
        "doc": inspect.getdoc(declared.cls) or "",
        "parameters": [_param_record(registry, declared, param) for param in declared.params],
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


def _param_record(registry: Registry, declared: Declaration, param: Param) -> dict[str, Any]:
    given = {k: {str(c): plain(v) for c, v in t.items()} for k, t in param.given.items()}
    return {
        "name": param.name,
        "type": param.type_name,
        "required": param.required,
        "default": None if param.required else plain(param.default),
        "given": given,
        "allowed": param.allowed,
        "help": param.help,
        "option": spelled(f"{declared.path}.{param.name}"),
        "short": short_option(param.name) if has_short(registry, param.name) else None,
    }


def toml_example(declared: Declaration) -> str:
    """Return the TOML table that chooses the strategy, with its defaults written out."""
    values = {
        p.name: f"<{p.type_name}>" if p.required else plain(p.default) for p in declared.params
    }
    table = {"use": declared.name, **values}
    return tomlkit.dumps({declared.kind: [table] if declared.kind in LISTS else table})


def print_strategy(console: Console, registry: Registry, provided: Provided) -> None:
    """Print a strategy's doc-string, its parameters with every spelling, and its TOML table."""
    declared, plugin = provided.declaration, provided.plugin
    console.print(f"{declared.kind} {declared.name}", style="bold", end="")
    console.print(f"  from {plugin.distribution} {plugin.version}", style="dim")
    console.print()
    console.print(_reflowed(inspect.getdoc(declared.cls) or "no doc-string"))
    for param in declared.params:
        _print_param(console, registry, declared, param)
    console.print("\nIn TOML:", style="bold")
    console.print(indent(toml_example(declared).rstrip(), "  "), soft_wrap=True)


def _reflowed(text: str) -> str:
    """Join the lines of each paragraph, for the console to break where it has to."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _print_param(console: Console, registry: Registry, declared: Declaration, param: Param) -> None:
    option = spelled(f"{declared.path}.{param.name}")
    console.print(f"\n{option} {metavar(param)}", style="cyan")
    if has_short(registry, param.name):
        console.print(f"  in short {short_option(param.name)}", style="dim")
    console.print(Padding(f"{param.help} {facts(param)}", (0, 0, 0, 2), expand=False))
