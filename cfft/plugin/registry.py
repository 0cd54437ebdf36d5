"""Registry of the installed strategies, found by kind and name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint
from typing import Any

import attrs

from cfft.errors import ConfigError, PluginError, unknown
from cfft.plugin.manager import Plugin, Provided, load_plugins
from cfft.plugin.params import Declaration


@attrs.frozen(eq=False)
class Registry:
    """Hold every installed strategy, all plug-ins and the hooks to call."""

    plugins: Sequence[Plugin]
    provided: Sequence[Provided]
    hook: Any

    @classmethod
    def installed(cls, points: Iterable[EntryPoint] | None = None) -> Registry:
        """Collect the strategies of every installed plug-in, or of the given entry points."""
        return cls(*load_plugins(points))

    @property
    def broken(self) -> tuple[Plugin, ...]:
        """List the plug-ins that cannot be used."""
        return tuple(p for p in self.plugins if p.error is not None)

    def of_kind(self, kind: str) -> tuple[Provided, ...]:
        """List the strategies of a kind by name."""
        matching = [p for p in self.provided if p.declaration.kind == kind]
        return tuple(sorted(matching, key=lambda p: p.declaration.name))

    def names(self, kind: str) -> tuple[str, ...]:
        """List the names of a kind, each once."""
        return tuple(dict.fromkeys(p.declaration.name for p in self.of_kind(kind)))

    def find(self, kind: str, name: str) -> Provided:
        """Return the one strategy of that name; raises ConfigError or, on a clash, PluginError."""
        found = [p for p in self.of_kind(kind) if p.declaration.name == name]
        if not found:
            message = unknown(kind, name, self.names(kind), "installed")
            raise ConfigError(message, *map(broken_line, self.broken))
        if len(found) > 1:
            raise PluginError(clash_line(kind, name, [p.plugin for p in found]))
        return found[0]

    def declaration(self, kind: str, name: str) -> Declaration:
        """Return the declaration of a strategy; raises as `find` does."""
        return self.find(kind, name).declaration

    def build(
        self,
        kind: str,
        name: str,
        values: Mapping[str, Any],
        context: Mapping[str, str],
        sources: Mapping[str, str] | None = None,
    ) -> Any:
        """Make a strategy of raw values; raises ConfigError naming plug-in and bad values."""
        provided = self.find(kind, name)
        try:
            return provided.declaration.build(values, context, sources)
        except ConfigError as error:
            raise ConfigError(
                *(f"{each} [plug-in {provided.plugin.origin}]" for each in error.problems)
            ) from None

    def clashes(self) -> dict[tuple[str, str], list[Plugin]]:
        """Return the plug-ins that provide the same kind and name."""
        providers: dict[tuple[str, str], list[Plugin]] = {}
        for p in self.provided:
            providers.setdefault((p.declaration.kind, p.declaration.name), []).append(p.plugin)
        return {key: plugins for key, plugins in providers.items() if len(plugins) > 1}


def broken_line(plugin: Plugin) -> str:
    """Return the message about a plug-in that cannot be used."""
    return f"plug-in {plugin.origin} cannot be used: {plugin.error}"


def clash_line(kind: str, name: str, providers: Sequence[Plugin]) -> str:
    """Return the message about plug-ins that provide the same name."""
    origins = " and ".join(plugin.origin for plugin in providers)
    return f"{kind} '{name}' is provided by {origins}: uninstall one of them or rename it"
