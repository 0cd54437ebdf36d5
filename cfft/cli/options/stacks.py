"""Configurations to look at: of a run that exists, and of several strategies side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import attrs

from cfft.config.layers import COMMAND_LINE, LISTS, Choice, Layer, read_file
from cfft.config.resolve import RunConfig, resolve
from cfft.plugin.registry import Registry

COUNTERFACTUAL = ("mask", "fill", "cam")
"""The kinds that a counterfactual image depends on."""


def run_layer(path: Path) -> Layer:
    """Return how a run was configured; of a checkpoint or weight file, which model it is."""
    if (path / "config.toml").is_file():
        return read_file(path / "config.toml")
    from cfft.model.description import (
        read_model,  # torch comes with it: --help must not wait for that
    )

    found = read_model(path).description
    model = {} if found is None else {"name": f"{found.backbone}:{found.rebuild}"}
    return Layer(str(path), settings={"model": model})


def without(layer: Layer, kinds: Collection[str]) -> Layer:
    """Return what a layer says of anything but strategies of `kinds`."""
    return attrs.evolve(
        layer,
        chosen={kind: picks for kind, picks in layer.chosen.items() if kind not in kinds},
        values={key: values for key, values in layer.values.items() if key[0] not in kinds},
        loose={kind: values for kind, values in layer.loose.items() if kind not in kinds},
    )


def of_counterfactuals(layers: Sequence[Layer]) -> list[Layer]:
    """Return layers with the objective of the lowest one, the defaults, which uses them all."""
    defaults, *others = layers
    return [defaults, *(without(layer, LISTS) for layer in others)]


def variant(
    registry: Registry,
    layers: Sequence[Layer],
    chosen: Mapping[str, str],
    listed: Mapping[str, Sequence[str]],
    threshold: str | None = None,
) -> RunConfig:
    """Resolve `layers` with the strategies `chosen` by kind, and a `threshold` for the mask.

    `listed`: all names that take turns, by kind; what layers say of those that are not chosen this
    time is left out. A threshold needs a chosen mask that has one. Raises ConfigError.
    """
    kept = [_without_idle(registry, layer, chosen, listed) for layer in layers]
    top = Layer(COMMAND_LINE, chosen={k: (Choice(v, v),) for k, v in chosen.items()})
    if threshold is not None:
        top.values["mask", chosen["mask"]] = {"threshold": threshold}
    return resolve(registry, [*kept, top])


def _without_idle(
    registry: Registry, layer: Layer, chosen: Mapping[str, str], listed: Mapping[str, Sequence[str]]
) -> Layer:
    idle = {(kind, name) for kind in chosen for name in listed[kind] if name != chosen[kind]}
    taken = _parameters(registry, idle) - _parameters(registry, chosen.items())
    return attrs.evolve(
        layer,
        values={key: values for key, values in layer.values.items() if key not in idle},
        short={name: value for name, value in layer.short.items() if name not in taken},
    )


def _parameters(registry: Registry, strategies: Iterable[tuple[str, str]]) -> set[str]:
    """Return the parameters' names of strategies that are given by kind and name."""
    return {
        param.name for kind, name in strategies for param in registry.declaration(kind, name).params
    }
