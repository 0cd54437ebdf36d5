"""The tables of settings and of installed versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cfft.config import comparison
from cfft.report.sources.records import Run, by_group
from cfft.report.tables.tables import NOTHING, Cell, Column, Table


def configuration(runs: Sequence[Run]) -> Table:
    """Tabulate the resolved settings, one column per configuration; the seeds are in one cell."""
    return _by_group(runs, "configuration", "Resolved configuration", comparison.settings)


def versions(runs: Sequence[Run]) -> Table:
    """Tabulate the versions of cfft and of the distributions that brought strategies."""
    return _by_group(runs, "versions", "Versions of cfft and plug-ins", _versions)


def _versions(config: Mapping[str, Any]) -> dict[str, Any]:
    found = comparison.versions(config).items()
    return {key.removeprefix("plugins.").removesuffix(".version"): value for key, value in found}


def _by_group(
    runs: Sequence[Run], name: str, title: str, read: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Table:
    groups = {name: [read(run.config) for run in own] for name, own in by_group(runs).items()}
    keys = dict.fromkeys(key for found in groups.values() for values in found for key in values)
    rows = [[key, *(_said(key, values) for values in groups.values())] for key in keys]
    columns = (Column("setting"), *map(Column, groups))
    return Table(name, title, columns, tuple(tuple(map(Cell, row)) for row in rows))


def _said(key: str, found: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(str(values.get(key, NOTHING)) for values in found))
