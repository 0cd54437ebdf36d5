"""The recipe that a configuration comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from cfft.config.layers import Choice, Layer
from cfft.config.shorthand import Shorthand
from cfft.plugin.registry import Registry

_BESIDES = ("suite", "backbone")  # what no recipe of a method is about


@attrs.frozen
class RecipeOrigin:
    """Name the topmost recipe of a run.

    `reason`: why it is this one where nobody asked for it, empty otherwise. `whole`: whether
    nothing above it says anything of the method.
    """

    name: str
    reason: str
    whole: bool


def origin(
    registry: Registry, layers: Sequence[Layer], picks: Mapping[str, tuple[Choice, ...]]
) -> RecipeOrigin | None:
    """Return the topmost recipe among layers, lowest first, None where there is none.

    `picks`: the chosen strategies, to which short options belong.
    """
    places = [place for place, layer in enumerate(layers) if layer.recipe]
    if not places:
        return None
    recipe, above = layers[places[-1]], layers[places[-1] + 1 :]
    whole = not recipe.reason and not any(_on_method(registry, each, picks) for each in above)
    return RecipeOrigin(recipe.recipe, recipe.reason, whole)


def _on_method(registry: Registry, layer: Layer, picks: Mapping[str, tuple[Choice, ...]]) -> bool:
    short = Shorthand(registry, picks, layer).values()
    kinds = {*layer.chosen, *layer.loose, *(kind for kind, _ in (*layer.values, *short))}
    views = layer.views is not None or bool(layer.view_values)
    return views or layer.stages is not None or not kinds <= {*_BESIDES}
