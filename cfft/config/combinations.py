"""Configurations that differ in map, mask, threshold and fill alone, to be seen side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from cfft.config.keywords import Keywords
from cfft.config.layers import COMMAND_LINE, LISTS, Choice, Layer
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry

COUNTERFACTUAL = ("mask", "fill", "cam")
"""The kinds that a counterfactual image depends on."""


def combinations(
    registry: Registry,
    keywords: Mapping[str, Any],
    names: Mapping[str, Sequence[str]],
    thresholds: Sequence[str] = (),
    below: Sequence[Layer] = (),
) -> list[RunConfig]:
    """Return a configuration for each map, mask, threshold and fill, fills changing fastest.

    `names`: those that take turns, by kind; of any other kind, the configured one. A mask without a
    threshold appears once whatever `thresholds` are given. `keywords` and `below`, as in
    `Keywords.layers`, say the rest; losses and teachers are those of the defaults, which use all
    three kinds. Where nothing takes turns, the one configuration has the further views that its
    losses look at. Raises ConfigError, also for thresholds that no mask takes.
    """
    listed = {kind: list(dict.fromkeys(each)) for kind, each in names.items() if each}
    first = {kind: each[0] for kind, each in listed.items()}
    defaults, *others = Keywords(registry).layers({**keywords, **first}, below)
    layers = [defaults, *(layer.without(LISTS) for layer in others)]
    base = _variant(registry, layers, first, listed)
    if not listed and not thresholds and any(layer.views for layer in others):
        return [_with_views(base, resolve(registry, [defaults, *others]))]
    configured = {strategy.kind: [strategy.name] for strategy in base.strategies()}
    listed = {kind: listed.get(kind, configured[kind]) for kind in COUNTERFACTUAL}
    cut = cut_masks(registry)
    if thresholds and not set(cut) & set(listed["mask"]):
        masks = ", ".join(listed["mask"])
        raise ConfigError(
            f"mask '{masks}' has no threshold to vary: choose from {', '.join(cut)} (--mask)"
        )
    return [
        _variant(registry, layers, {"cam": cam, "mask": mask, "fill": fill}, listed, threshold)
        for cam in listed["cam"]
        for mask in listed["mask"]
        for threshold in (thresholds if mask in cut else ()) or (None,)
        for fill in listed["fill"]
    ]


def _with_views(base: RunConfig, whole: RunConfig) -> RunConfig:
    """Return `base` with the views of `whole`, and the teachers that they may follow."""
    known = {chosen.label for chosen in base.teachers}
    further = (chosen for chosen in whole.teachers if chosen.label not in known)
    return attrs.evolve(base, views=whole.views, teachers=(*base.teachers, *further))


def cut_masks(registry: Registry) -> list[str]:
    """List the masks that cut a map at a threshold."""
    masks = (provided.declaration for provided in registry.of_kind("mask"))
    return [mask.name for mask in masks if mask.param("threshold") is not None]


def _variant(
    registry: Registry,
    layers: Sequence[Layer],
    chosen: Mapping[str, str],
    listed: Mapping[str, Sequence[str]],
    threshold: str | None = None,
) -> RunConfig:
    """Resolve layers with one choice of each kind, without what they say of the others `listed`."""
    idle = {(kind, name) for kind, names in listed.items() for name in names} - {*chosen.items()}
    taken = _parameters(registry, idle) - _parameters(registry, chosen.items())
    kept = (
        attrs.evolve(
            layer,
            values={key: values for key, values in layer.values.items() if key not in idle},
            short={name: value for name, value in layer.short.items() if name not in taken},
        )
        for layer in layers
    )
    top = Layer(COMMAND_LINE, chosen={kind: (Choice(n, n),) for kind, n in chosen.items()})
    if threshold is not None:
        top.values["mask", chosen["mask"]] = {"threshold": threshold, **_no_share(registry, chosen)}
    return resolve(registry, [*kept, top])


def _no_share(registry: Registry, chosen: Mapping[str, str]) -> dict[str, Any]:
    """Take back the share that a run's mask may have in place of a threshold."""
    mask = registry.declaration("mask", chosen["mask"])
    return {} if mask.param("share") is None else {"share": None}


def _parameters(registry: Registry, strategies: Iterable[tuple[str, str]]) -> set[str]:
    return {
        param.name for kind, name in strategies for param in registry.declaration(kind, name).params
    }
