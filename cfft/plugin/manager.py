"""Find plug-ins through entry points; one that fails is listed and stops nothing.

Entry points are loaded here because pluggy's `load_setuptools_entrypoints` ends at the first that
fails and ignores the second of two plug-ins of one name; `check_pending` suggests no spelling.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import attrs
import pluggy

from cfft.errors import PluginError, unknown
from cfft.plugin import hookspecs
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


def load_plugins(
    found: Iterable[EntryPoint] | None = None,
) -> tuple[list[Plugin], list[Provided], Any]:
    """Import every plug-in of group `cfft`; raises PluginError where none is installed at all.

    Returns plug-ins, the strategies of those that can be used, and the hooks to call.
    """
    points = _unique(entry_points(group=GROUP) if found is None else found)
    if not points:
        raise PluginError(
            "no plug-in is installed, not even cfft's own: install cfft with pip; "
            "running it from a bare checkout is not enough"
        )
    manager = pluggy.PluginManager("cfft")
    manager.add_hookspecs(hookspecs)
    loaded = [_load(manager, point) for point in points]
    provided = [Provided(each, plugin) for plugin, declared in loaded for each in declared]
    return [plugin for plugin, _ in loaded], provided, manager.hook


def _unique(points: Iterable[EntryPoint]) -> list[EntryPoint]:
    by_key = {(_origin(p)[0], p.name, p.value): p for p in points}
    return [by_key[key] for key in sorted(by_key)]


def _origin(point: EntryPoint) -> tuple[str, str]:
    if point.dist is None:
        return "unknown", "?"
    return point.dist.name or "unknown", point.dist.version or "?"


def _load(manager: pluggy.PluginManager, point: EntryPoint) -> tuple[Plugin, list[Declaration]]:
    plugin = Plugin(point.name, point.value, *_origin(point))
    key = f"{plugin.distribution}:{plugin.name}"
    try:
        module = point.load()
        _check_hooks(manager, module)
        manager.register(module, key)
        return plugin, _collect(manager, module)
    except (Exception, SystemExit) as error:  # must not stop the other plug-ins
        if manager.has_plugin(key):
            manager.unregister(name=key)
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return attrs.evolve(plugin, error=reason), []


def _check_hooks(manager: pluggy.PluginManager, module: ModuleType) -> None:
    specified = [name for name in vars(hookspecs) if name.startswith("cfft_")]
    for name, value in vars(module).items():
        marked = manager.parse_hookimpl_opts(module, name) is not None
        if not marked and not (name.startswith("cfft_") and callable(value)):
            continue
        if name not in specified:
            raise PluginError(unknown("hook", name, specified, "hooks"))
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


def _declared(kind: str, hook: str, classes: Any) -> list[Declaration]:
    if not isinstance(classes, (list, tuple)):
        raise PluginError(f"{hook}() must return a list of classes, got {classes!r}")
    declarations = [declaration(cls) for cls in classes]
    for declared in declarations:
        if declared.kind != kind:
            raise PluginError(f"{hook}() returned '{declared.name}', which is a {declared.kind}")
    return declarations
