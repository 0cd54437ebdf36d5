"""Short options, such as `--threshold`: each goes to the one chosen strategy that has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from cfft.config.layers import Choice, Layer
from cfft.plugin.params import Declaration, short_option
from cfft.plugin.registry import Registry


@attrs.frozen(eq=False)
class Shorthand:
    """Resolve the short options of a layer against the `chosen` strategies of each kind."""

    registry: Registry
    chosen: Mapping[str, tuple[Choice, ...]]
    layer: Layer

    def values(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return what can be given to someone, by (kind, label)."""
        values: dict[tuple[str, str], dict[str, Any]] = {}
        for name, value in self.layer.short.items():
            owners = self._owners(name)
            if len(owners) == 1:
                kind, pick = owners[0]
                values.setdefault((kind, pick.label), {})[name] = value
        return values

    def problems(self) -> list[str]:
        """Say which short options belong to nobody, to several, or are given in full as well."""
        found = (self._problem(name, self._owners(name)) for name in self.layer.short)
        return [problem for problem in found if problem is not None]

    def _problem(self, name: str, owners: list[tuple[str, Choice]]) -> str | None:
        if not owners:
            return self._homeless(name) if self._all_installed() else None
        spellings = " or ".join(_full(kind, pick, name) for kind, pick in owners)
        if len(owners) > 1:
            return f"{short_option(name)} could mean several: write {spellings}"
        kind, pick = owners[0]
        if name in self.layer.values.get((kind, pick.label), {}):
            return f"{short_option(name)} and {spellings} are the same: give one of them"
        return None

    def _owners(self, param: str) -> list[tuple[str, Choice]]:
        having = {(found.kind, found.name) for found in self._having(param)}
        return [(kind, pick) for kind, pick in self._picks() if (kind, pick.use) in having]

    def _having(self, param: str) -> list[Declaration]:
        declared = (provided.declaration for provided in self.registry.provided)
        return [found for found in declared if found.param(param) is not None]

    def _picks(self) -> list[tuple[str, Choice]]:
        return [(kind, pick) for kind, picks in self.chosen.items() for pick in picks]

    def _all_installed(self) -> bool:
        """Tell whether what is chosen exists; a misspelt mask may have the parameter."""
        return all(pick.use in self.registry.names(kind) for kind, pick in self._picks())

    def _homeless(self, param: str) -> str:
        owners = self._having(param)
        spellings = ", ".join(_full(d.kind, Choice(d.name, d.name), param) for d in owners)
        chosen = ", ".join(f"{kind} {pick.use}" for kind, pick in self._picks()) or "nothing"
        return (
            f"{short_option(param)} belongs to nothing chosen ({chosen}); it exists as {spellings}"
        )


def _full(kind: str, pick: Choice, param: str) -> str:
    path = f"{kind}.{pick.label}.{param}"
    return f"--{path}" if pick.label == pick.use else f"--set {path}=VALUE"
