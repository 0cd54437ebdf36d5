"""Registry of the installed plug-ins and their strategies, found through entry points.

A plug-in that fails is listed and stops nothing. Entry points are loaded here because pluggy's
`load_setuptools_entrypoints` ends at the first that fails and ignores the second of two plug-ins of
one name; `check_pending` suggests no spelling.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, distributions, entry_points
from types import ModuleType
from typing import Any

import attrs
import pluggy

from cfft.errors import ConfigError, PluginError, described, shortened_list, unknown_name
from cfft.plugin import hookspecs
from cfft.plugin.failures import hook_named, mark
from cfft.plugin.isolation import BrokenImportError, isolated
from cfft.plugin.kinds import KINDS
from cfft.plugin.params import Declaration, declaration

GROUP = "cfft"


@attrs.frozen
class Plugin:
    """Describe an installed plug-in; `error` says why it cannot be used, else None."""

    name: str
    module: str
    distribution: str
    version: str
    error: str | None = None

    @property
    def origin(self) -> str:
        """Name the plug-in with the distribution and version that it comes from."""
        return f"{self.name} ({self.distribution} {self.version})"


@attrs.frozen
class Provided:
    """Hold a strategy's declaration and the plug-in that provides it."""

    declaration: Declaration
    plugin: Plugin


@attrs.frozen(eq=False)
class Registry:
    """Hold every installed strategy, all plug-ins and the hooks to call."""

    plugins: Sequence[Plugin]
    provided: Sequence[Provided]
    hook: Any

    @classmethod
    def installed(cls, found: Iterable[EntryPoint] | None = None) -> Registry:
        """Import every plug-in of group `cfft`, or those at entry points `found`.

        Raises PluginError where none is installed at all.
        """
        points = _unique(_entry_points() if found is None else found)
        if not points:
            raise PluginError(
                "no plug-in is installed, not even cfft's own: install cfft with pip; "
                "running it from a bare checkout is not enough"
            )
        manager = pluggy.PluginManager("cfft")
        manager.add_hookspecs(hookspecs)
        loaded = [_load(manager, point) for point in points]
        provided = [Provided(each, plugin) for plugin, declared in loaded for each in declared]
        return cls([plugin for plugin, _ in loaded], provided, manager.hook)

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
            message = unknown_name(kind, name, self.names(kind), "installed")
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


def _entry_points() -> Iterable[EntryPoint]:
    try:
        return entry_points(group=GROUP)
    except Exception as error:  # one unreadable file of any distribution
        who = shortened_list(_unreadable()) or "installed distributions"
        raise PluginError(
            f"the entry points of {who} cannot be read: install it anew or uninstall it: "
            f"{described(error)}"
        ) from None


def _unreadable() -> Iterator[str]:
    """Name the distributions whose entry points cannot be read, by name or path."""
    for found in distributions():
        try:
            found.entry_points  # noqa: B018
        except Exception:
            yield str(getattr(found, "_path", None) or found.name)


def _unique(points: Iterable[EntryPoint]) -> list[EntryPoint]:
    by_key = {(_origin(p)[0], p.name, p.value): p for p in points}
    return [by_key[key] for key in sorted(by_key)]


def _origin(point: EntryPoint) -> tuple[str, str]:
    unknown = "unknown", "?"
    if point.dist is None:
        return unknown
    try:
        return point.dist.name or unknown[0], point.dist.version or unknown[1]
    except Exception:  # unreadable metadata
        return unknown


def _load(manager: pluggy.PluginManager, point: EntryPoint) -> tuple[Plugin, list[Declaration]]:
    plugin = Plugin(point.name, point.value, *_origin(point))
    key = f"{plugin.distribution}:{plugin.name}"

    def load() -> list[Declaration]:
        module = _module_at(point)
        known = manager.get_name(module)
        if known is not None:
            raise PluginError(f"its module is that of plug-in {known}: remove one of the two")
        _check_hooks(manager, module)
        manager.register(module, key)
        declared = _collect(manager, module)
        mark(module, plugin.origin)
        for each in declared:
            mark(each.cls, plugin.origin)
        _name_hooks(manager, module, plugin.origin)
        return declared

    try:
        return plugin, isolated(load)
    except BrokenImportError as error:  # must not stop the other plug-ins
        if manager.has_plugin(key):
            manager.unregister(name=key)
        return attrs.evolve(plugin, error=str(error)), []


def _module_at(point: EntryPoint) -> ModuleType:
    if point.pattern.match(point.value) is None:
        raise PluginError(f"its entry point has to name a module, got '{point.value}'")
    found = point.load()
    if not isinstance(found, ModuleType):
        raise PluginError(f"its entry point has to name a module, got {found!r}")
    return found


def _check_hooks(manager: pluggy.PluginManager, module: ModuleType) -> None:
    specified = [name for name in vars(hookspecs) if name.startswith("cfft_")]
    for name, value in vars(module).items():
        marked = manager.parse_hookimpl_opts(module, name) is not None
        if not marked and not (name.startswith("cfft_") and callable(value)):
            continue
        if name not in specified:
            raise PluginError(unknown_name("hook", name, specified, "hooks"))
        if not marked:
            raise PluginError(f"{name}() is not marked with @cfft.hookimpl")


def _collect(manager: pluggy.PluginManager, module: ModuleType) -> list[Declaration]:
    """Call the hooks of one plug-in alone, so that an error is its own."""
    return [
        declared
        for kind in KINDS.values()
        for implementation in getattr(manager.hook, kind.hook).get_hookimpls()
        if implementation.plugin is module
        for declared in _declared(kind.name, kind.hook, implementation.function())
    ]


def _name_hooks(manager: pluggy.PluginManager, module: ModuleType, origin: str) -> None:
    """Make the hooks of one plug-in that are called during runs name it where they fail."""
    collecting = {kind.hook for kind in KINDS.values()}
    for hook in (name for name in vars(hookspecs) if name.startswith("cfft_")):
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if implementation.plugin is module and hook not in collecting:
                implementation.function = hook_named(hook, origin, implementation.function)


def _declared(kind: str, hook: str, classes: Any) -> list[Declaration]:
    if not isinstance(classes, (list, tuple)):
        raise PluginError(f"{hook}() must return a list of classes, got {classes!r}")
    declarations = [declaration(cls) for cls in classes]
    for declared in declarations:
        if declared.kind != kind:
            raise PluginError(f"{hook}() returned '{declared.name}', which is a {declared.kind}")
    return declarations
