"""Short options, such as `--threshold`: each goes to the one chosen strategy that has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from cfft.config.layers import Choice, Layer, ViewTable
from cfft.plugin.params import Declaration, short_option
from cfft.plugin.registry import Registry


@attrs.frozen(eq=False)
class Shorthand:
    """Resolve the short options of a layer against the `chosen` strategies of each kind.

    `views`: further views that the run makes; what theirs have as well is ambiguous.
    """

    registry: Registry
    chosen: Mapping[str, tuple[Choice, ...]]
    layer: Layer
    views: Sequence[ViewTable] = ()

    def values(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the values that have one owner, by (kind, label)."""
        values: dict[tuple[str, str], dict[str, Any]] = {}
        for name, value in self.layer.short.items():
            owners = self._owners(name)
            if len(owners) == 1 and not self._of_views(name):
                kind, pick = owners[0]
                values.setdefault((kind, pick.label), {})[name] = value
        return values

    def problems(self) -> Iterator[str]:
        """Go through short options of no strategy, of several, or given in full as well."""
        installed = all(pick.use in self.registry.names(kind) for kind, pick in self._picks())
        for name in self.layer.short:
            option, owners = short_option(name), self._owners(name)
            full = [_full(kind, pick, name) for kind, pick in owners]
            full += [f"--set view.{path}.{name}=VALUE" for path in self._of_views(name)]
            if len(full) > 1:
                yield f"{option} is ambiguous: write {' or '.join(full)}"
            elif full and not owners:
                yield f"{option} belongs to a further view: write {full[0]}"
            elif not owners and installed:  # a misspelt mask may have the parameter
                yield self._homeless(name)
            elif any(name in self.layer.values.get((k, pick.label), {}) for k, pick in owners):
                yield f"{option} and {full[0]} are the same: give one of them"

    def _owners(self, param: str) -> list[tuple[str, Choice]]:
        having = {(found.kind, found.name) for found in self._having(param)}
        return [(kind, pick) for kind, pick in self._picks() if (kind, pick.use) in having]

    def _of_views(self, param: str) -> list[str]:
        """List view and kind of the strategies of further views that have a parameter."""
        having = {(found.kind, found.name) for found in self._having(param)}
        return [
            f"{view.label}.{kind}"
            for view in self.views
            for kind, use in view.uses.items()
            if (kind, use) in having
        ]

    def _having(self, param: str) -> list[Declaration]:
        declared = (provided.declaration for provided in self.registry.provided)
        return [found for found in declared if found.param(param) is not None]

    def _picks(self) -> list[tuple[str, Choice]]:
        return [(kind, pick) for kind, picks in self.chosen.items() for pick in picks]

    def _homeless(self, param: str) -> str:
        spellings = ", ".join(f"--{d.path}.{param}" for d in self._having(param))
        chosen = ", ".join(f"{kind} {pick.use}" for kind, pick in self._picks()) or "nothing"
        return f"no chosen strategy has {short_option(param)} ({chosen}); it exists as {spellings}"


def _full(kind: str, pick: Choice, param: str) -> str:
    path = f"{kind}.{pick.label}.{param}"
    return f"--{path}" if pick.label == pick.use else f"--set {path}=VALUE"
