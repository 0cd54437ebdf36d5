"""Descriptions of strategies, for `cfft plugins` and `cfft data list`."""

from __future__ import annotations

import inspect
from textwrap import indent
from typing import Any

import tomlkit
from rich.console import Console
from rich.padding import Padding

from cfft.cli.options.options import facts, metavar, short_options
from cfft.config.keywords import spelled
from cfft.config.layers import LISTS
from cfft.plugin.conversion import plain
from cfft.plugin.params import short_option
from cfft.plugin.registry import Provided, Registry


def strategy_record(registry: Registry, provided: Provided) -> dict[str, Any]:
    """Return all that a declaration says, as JSON holds it."""
    declared, short = provided.declaration, short_options(registry)
    values = {
        p.name: f"<{p.type_name}>" if p.required else plain(p.default) for p in declared.params
    }
    table = {"use": declared.name, **values}
    return {
        **summary_record(provided),
        "doc": inspect.getdoc(declared.cls) or "",
        "parameters": [
            {
                "name": param.name,
                "type": param.type_name,
                "required": param.required,
                "default": None if param.required else plain(param.default),
                "given": {
                    key: {
                        "given" if choice is ... else str(choice): plain(value)
                        for choice, value in table.items()
                    }
                    for key, table in param.given.items()
                },
                "allowed": param.allowed,
                "help": param.help,
                "option": spelled(f"{declared.path}.{param.name}"),
                "short": short_option(param.name) if param.name in short else None,
            }
            for param in declared.params
        ],
        "toml": tomlkit.dumps({declared.kind: [table] if declared.kind in LISTS else table}),
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


def print_strategy(console: Console, registry: Registry, provided: Provided) -> None:
    """Print a strategy's doc-string, its parameters with every spelling, and its TOML table."""
    record = strategy_record(registry, provided)
    console.print(f"{record['kind']} {record['name']}", style="bold", end="")
    console.print(f"  from {record['distribution']} {record['version']}\n", style="dim")
    for paragraph in (record["doc"] or "no doc-string").split("\n\n"):
        console.print(" ".join(paragraph.split()), end="\n\n")
    for param, said in zip(provided.declaration.params, record["parameters"], strict=True):
        console.print(f"{said['option']} {metavar(param)}", style="cyan")
        if said["short"]:
            console.print(f"  in short {said['short']}", style="dim")
        console.print(Padding(f"{param.help} {facts(param)}", (0, 0, 0, 2), expand=False))
        console.print()
    console.print("In TOML:", style="bold")
    console.print(indent(record["toml"].rstrip(), "  "), soft_wrap=True)
