"""Further views of a batch: tables [[view]], each with a mask, a fill and a map of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from cfft.config.layers import COMMAND_LINE, VIEW_KINDS, Choice, Layer, ViewTable
from cfft.config.shorthand import Shorthand
from cfft.errors import Problems, unknown_name
from cfft.plugin.params import NAME
from cfft.plugin.registry import Registry
from cfft.step.interfaces import COUNTERFACTUAL, ORIGINAL

_RESERVED = (ORIGINAL, COUNTERFACTUAL)


@attrs.frozen
class MadeView:
    """Hold the strategies of one view by kind: mask, fill and, where one is chosen, cam."""

    label: str
    strategies: Mapping[str, Any]
    uses: Mapping[str, str]


def listed_views(layers: Sequence[Layer]) -> tuple[tuple[ViewTable, ...], bool]:
    """Return the tables of the topmost layer that has any, and whether losses above replace it.

    Where a layer above says which losses there are, those views need not be followed.
    """
    tables: tuple[ViewTable, ...] = ()
    replaced = False
    for layer in layers:
        if layer.views is not None:
            tables, replaced = layer.views, False
        elif "loss" in layer.chosen:
            replaced = True
    return tables, replaced


def view_problems(layers: Sequence[Layer], tables: Sequence[ViewTable]) -> Iterator[str]:
    """Go through wrong labels, and values for views or kinds that do not exist."""
    labels = [table.label for table in tables]
    for label in labels:
        if not re.fullmatch(NAME, label) or label in _RESERVED:
            yield (
                f"no view can be labelled '{label}': labels are letters, digits, - and _, other "
                f"than {' and '.join(_RESERVED)}"
            )
    for layer in layers:
        for label in (label for label, _ in layer.view_values if label not in labels):
            if layer.source == COMMAND_LINE:
                yield f"--set view.{label}: {unknown_name('view', label, labels, 'in the file')}"


def made_views(
    registry: Registry,
    layers: Sequence[Layer],
    tables: Sequence[ViewTable],
    context: Mapping[str, str],
    problems: Problems,
) -> list[MadeView]:
    """Make the strategies of each view, and note what is wrong; a map is the run's unless given."""
    usual = next((layer.chosen_cam for layer in reversed(layers) if layer.chosen_cam), None)
    made = []
    for table in tables:
        uses = dict(table.uses)
        if "cam" not in uses and usual is not None:
            uses["cam"] = usual
        strategies: dict[str, Any] = {}
        for kind in (kind for kind in VIEW_KINDS if kind in uses):
            values = dict(table.values.get(kind, {}))
            if kind not in table.uses:
                values = _of_the_run(registry, layers, Choice(uses[kind], uses[kind]))
            for layer in layers:
                values.update(layer.view_values.get((table.label, kind), {}))
            with problems.noted(f"view '{table.label}': "):
                strategies[kind] = registry.build(kind, uses[kind], values, {**context, **uses})
        if len(strategies) == len(uses):
            made.append(MadeView(table.label, strategies, uses))
    return made


def _of_the_run(registry: Registry, layers: Sequence[Layer], cam: Choice) -> dict[str, Any]:
    """Return what layers say of the run's own map, short options above all others."""
    values: dict[str, Any] = {}
    for layer in layers:
        values.update(layer.loose.get("cam", {}))
        values.update(layer.values.get(("cam", cam.use), {}))
    for layer in layers:
        short = Shorthand(registry, {"cam": (cam,)}, layer).values()
        values.update(short.get(("cam", cam.use), {}))
    return values
