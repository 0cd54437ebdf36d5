"""Layers of the stages of a run: what of the main run's settings holds for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from cfft.config.layers import Choice, Layer, layer_of, read_recipe
from cfft.config.shorthand import Shorthand
from cfft.config.stages import StageTable
from cfft.errors import ConfigError
from cfft.plugin.kinds import CONFIGURED
from cfft.plugin.registry import Registry

Picks = Mapping[str, tuple[Choice, ...]]
_SHARED = ("backbone", "suite")
"""The kinds that a main run and its stages have in common, besides settings and seed."""

_OWN = tuple(kind for kind in CONFIGURED if kind not in _SHARED)


def declared_stages(layers: Sequence[Layer]) -> tuple[tuple[StageTable, ...], int]:
    """Return the tables of the topmost layer that has any, and the place of that layer."""
    for place in reversed(range(len(layers))):
        found = layers[place].stages
        if found is not None:
            return found, place
    return (), 0


def stage_layers(
    registry: Registry, layers: Sequence[Layer], place: int, picks: Picks, stage: StageTable
) -> list[Layer]:
    """Return what a stage builds on, lowest first.

    Layers below all that declare stages hold as they are. Of the others only images, model,
    training and seed hold: up to the one that declares this stage, at `place`, below what the stage
    says, in the others above it. `picks`: the main run's strategies, to which short options belong.
    """
    lowest = next(number for number, layer in enumerate(layers) if layer.stages is not None)
    below = layers[:lowest]
    declaring, above = (
        [_shared(registry, layer, picks) for layer in part]
        for part in (layers[lowest : place + 1], layers[place + 1 :])
    )
    return [*below, *declaring, *_said(stage, layers[place].source), *above]


def _said(stage: StageTable, source: str) -> list[Layer]:
    named = [] if stage.recipe is None else [read_recipe(stage.recipe)]
    said = [*named, layer_of(stage.config, f"{source}: config")]
    for layer in said:
        if layer.stages:
            raise ConfigError(f"{layer.source} has stages itself: list them beside this stage")
    return [attrs.evolve(layer, stages=None) for layer in said]


def _shared(registry: Registry, layer: Layer, picks: Picks) -> Layer:
    found = attrs.evolve(layer.without(_OWN), short={}, stages=None, recipe="")
    values = {key: dict(said) for key, said in found.values.items()}
    for (kind, label), short in Shorthand(registry, picks, layer).values().items():
        if kind in _SHARED:
            values.setdefault((kind, label), {}).update(short)
    return attrs.evolve(found, values=values)
