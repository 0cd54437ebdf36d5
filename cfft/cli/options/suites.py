"""A suite as the command line chooses it: its name, and options for its parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cfft.config.layers import Layer
from cfft.config.shorthand import Shorthand
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry

_KIND = "suite"
_DIRECTORY = "data"


def place(layer: Layer, directory: Path | None) -> None:
    """Take DIR for `--data`; raises ConfigError where both are given."""
    if directory is None:
        return
    if _DIRECTORY in layer.short:
        given = layer.short[_DIRECTORY]
        raise ConfigError(f"DIR {directory} and --data {given} mean the same: give one of them")
    layer.short[_DIRECTORY] = str(directory)


def chosen_suite(registry: Registry, layer: Layer, name: str) -> Any:
    """Make the suite `name` with the options in `layer`.

    Raises ConfigError for an unknown name, for options of other suites and for bad values.
    """
    registry.find(_KIND, name)
    layer.choose(_KIND, [name])
    short = Shorthand(registry, layer.chosen, layer)
    problems = [*_strange(layer, name), *short.problems()]
    if problems:
        raise ConfigError(*problems)
    key = (_KIND, name)
    values = {**layer.values.get(key, {}), **short.values().get(key, {})}
    return registry.build(_KIND, name, values, {})


def _strange(layer: Layer, name: str) -> list[str]:
    return [
        f"--{kind}.{other}.{param}: the suite is '{name}', not '{other}'"
        for (kind, other), values in layer.values.items()
        if other != name
        for param in values
    ]
