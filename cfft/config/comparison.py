"""Differences between two configurations, setting by setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from cfft.config.resolve import RunConfig
from cfft.errors import ConfigError

_VERSIONS = ("cfft", "plugins")


def changes(before: Mapping[str, Any], now: RunConfig) -> list[str]:
    """Name the settings in which a stored configuration differs from `now`, versions aside."""
    return list(differences(_settings(before), _settings(now.to_dict())))


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in _VERSIONS}


def versions(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key in _VERSIONS}


def differences(before: Any, now: Any, path: str = "") -> Iterator[str]:
    """Go through the values that differ between two configurations, as `path: before -> now`."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(before.get(key), now.get(key), inner)
    elif before != now:
        yield f"{path}: {_shown(before)} -> {_shown(now)}"


def check_agree(configs: Mapping[str, Mapping[str, Any]], table: str, remedy: str) -> None:
    """Raise ConfigError, which ends with `remedy`, unless all have the same settings in a table.

    `configs`: configurations by what the error calls them.
    """
    for (first, one), (second, other) in pairwise(configs.items()):
        changed = list(differences(one[table], other[table], table))
        if changed:
            raise ConfigError(
                f"{first} and {second} have another {table} ({'; '.join(changed)}): {remedy}"
            )


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
