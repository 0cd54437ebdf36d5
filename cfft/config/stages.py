"""Tables [[stage]]: runs that a run builds on, trained before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from cfft.errors import ConfigError, Problems, unknown_name
from cfft.plugin.params import NAME

STAGES = "{stages}"
"""The first part of a path that lies in the folder of a run's stages."""

_VALUES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "recipe": (lambda value: isinstance(value, str), "a name in quotes"),
    "config": (lambda value: isinstance(value, Mapping), "a table"),
    "seed": (lambda value: type(value) is int and value >= 0, "a whole number >= 0"),
    "merged": (lambda value: isinstance(value, bool), "true or false"),
}
_KEYS = ("name", *_VALUES)


@attrs.frozen
class StageTable:
    """Hold a table [[stage]].

    `recipe`: one that cfft brings, or a path, or None. `config`: tables as in a config file; they
    hold above the recipe. `seed`: what is added to the seed of the main run. `merged`: whether the
    main run's merge takes the stage's model.
    """

    name: str
    recipe: str | None = None
    config: Mapping[str, Any] = attrs.field(factory=dict)
    seed: int = 0
    merged: bool = False


def stage_tables(tables: Iterable[Any], source: str) -> tuple[StageTable, ...]:
    """Read tables [[stage]]; raises ConfigError, naming `source`, with every wrong one."""
    found: list[StageTable] = []
    problems = Problems()
    for table in tables:
        with problems.noted():
            stage = _stage_table(table, source)
            if stage.name.lower() in [other.name.lower() for other in found]:
                raise ConfigError(f"{source}: two [[stage]] are called '{stage.name}': rename one")
            found.append(stage)
    problems.check()
    return tuple(found)


def _stage_table(table: Any, source: str) -> StageTable:
    name = table.get("name") if isinstance(table, Mapping) else None
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        raise ConfigError(
            f'{source}: every [[stage]] needs name = "NAME", of letters, digits, - and _'
        )
    for surplus in table.keys() - {*_KEYS}:
        raise ConfigError(f"{source}: stage '{name}': {unknown_name('key', surplus, _KEYS)}")
    if not {"recipe", "config"} & table.keys():
        raise ConfigError(f"{source}: stage '{name}' needs recipe = \"NAME\" or a table config")
    for key, (is_right, allowed) in _VALUES.items():
        if key in table and not is_right(table[key]):
            got = f"got {table[key]!r}, allowed: {allowed}"
            raise ConfigError(f"{source}: stage '{name}': {key}: {got}")
    return StageTable(**table)


def stage_of(path: Path) -> str | None:
    """Return the name of the stage that a path lies in, empty for none of them, else None."""
    if path.parts[:1] != (STAGES,):
        return None
    return path.parts[1] if len(path.parts) > 1 else ""
