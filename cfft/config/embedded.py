"""The recipes of a command that names neither images nor a model, and why it is those."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from cfft.config.layers import COMMAND_LINE, Choice, Layer, read_defaults, read_recipe
from cfft.plugin.params import short_option
from cfft.plugin.registry import Registry

EMBEDDED, BEST = "embedded", "best"
"""Recipes: the images and the model that stand by, and what is learnt where nobody says it."""

_OBJECTIVE = ("mask", "fill", "cam", "teacher", "task", "loss")


def embedded_recipes(registry: Registry, stack: Sequence[Layer]) -> list[Layer]:
    """Return the recipes below a `stack` of layers, none where it names images or a model.

    These are the embedded images and model and, above them, `best`. It is left out where there is a
    recipe or file, where the objective is chosen, and where a parameter belongs to strategies that
    `best` does not use; the embedded recipe's `reason` says which.
    """
    if any(map(_names_something, stack)):
        return []
    embedded, best = read_recipe(EMBEDDED), read_recipe(BEST)
    base = {**read_defaults().chosen, **embedded.chosen, **best.chosen}
    reason = next((why for layer in stack for why in _departures(registry, layer, base)), None)
    return [embedded, best] if reason is None else [attrs.evolve(embedded, reason=reason)]


def _departures(
    registry: Registry, layer: Layer, base: Mapping[str, tuple[Choice, ...]]
) -> Iterator[str]:
    """Go through what a layer says that `best`, with the choices of `base`, has no place for."""
    if layer.source != COMMAND_LINE:
        yield f"{layer.source} is given"
        return
    yield from (f"--{kind} is named" for kind in layer.chosen if kind in _OBJECTIVE)
    chosen = {**base, **layer.chosen, "cam": ()}  # the mask of best looks at no map
    labels = {(kind, pick.label) for kind, picks in chosen.items() for pick in picks}
    uses = {(kind, pick.use) for kind, picks in chosen.items() for pick in picks}
    for kind, label in layer.values:
        if kind in _OBJECTIVE and (kind, label) not in labels:
            yield f"--{kind}.{label} is named"
    for name in layer.short:
        having = {
            (found.kind, found.name)
            for found in (provided.declaration for provided in registry.provided)
            if found.param(name) is not None
        }
        if having.isdisjoint(uses) and any(kind in _OBJECTIVE for kind, _ in having):
            yield f"{short_option(name)} is named"


def _names_something(layer: Layer) -> bool:
    """Tell whether a layer says which images or which model are meant."""
    model = layer.settings.get("model", {})
    return "suite" in layer.chosen or not model.keys().isdisjoint(("name", "pretrained"))
