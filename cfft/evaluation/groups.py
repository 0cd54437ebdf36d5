"""Which runs differ in their seed alone, and what to call them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Config = Mapping[str, Any]
_APART = ("seed", "cfft", "plugins")
_UNTRAINED = ("training.workers", "training.checkpoint_every", "training.log_every")


def group_names(configs: Sequence[Config]) -> list[str]:
    """Name the group of each run after its mask, fill or losses; `configs` as config.toml holds.

    Two runs share a group where their configurations differ in nothing but the seed and what does
    not touch the result. Groups of one name are told apart by the values that differ among them.
    """
    facts = [dict(_facts(config)) for config in configs]
    methods = _with_further_losses(configs)
    return [
        _distinct(name, own, [f for other, f in zip(methods, facts, strict=True) if other == name])
        for name, own in zip(methods, facts, strict=True)
    ]


def method(config: Config) -> str:
    """Name how a run was trained: "object + single", or its losses, or "vanilla"."""
    losses = _losses(config)
    pair = [config.get(kind, {}).get("use", "none") for kind in ("mask", "fill")]
    is_masking = pair[0] != "none"
    return " + ".join(pair if is_masking else losses) or "vanilla"


def _with_further_losses(configs: Sequence[Config]) -> list[str]:
    """Add to the name of each method the losses that not all of its runs have."""
    methods = [method(config) for config in configs]
    shared: dict[str, set[str]] = {}
    for name, config in zip(methods, configs, strict=True):
        losses = set(_losses(config))
        shared[name] = shared.get(name, losses) & losses
    return [
        " + ".join([name, *(loss for loss in _losses(config) if loss not in shared[name])])
        for name, config in zip(methods, configs, strict=True)
    ]


def _losses(config: Config) -> list[str]:
    return [loss.get("label", loss["use"]) for loss in config.get("loss", ())]


def _distinct(name: str, own: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str:
    keys = dict.fromkeys(key for facts in others for key in facts)
    differing = [key for key in keys if any(f.get(key) != own.get(key) for f in others)]
    told = [f"{_short(key, differing)} {own.get(key, 'none')}" for key in differing]
    return ", ".join([name, *told])


def _short(key: str, keys: Sequence[str]) -> str:
    """Leave out all but the last word of a path, unless that is another path's last word too."""
    last = key.rpartition(".")[2]
    alike = [other for other in keys if other.rpartition(".")[2] == last]
    return key if len(alike) > 1 else last


def _facts(config: Config) -> Iterator[tuple[str, Any]]:
    apart = (*_APART, *_UNTRAINED)
    return ((path, value) for path, value in settings(config) if not _is_in(path, apart))


def _is_in(path: str, places: Sequence[str]) -> bool:
    return any(path == place or path.startswith(f"{place}.") for place in places)


def settings(config: Config) -> Iterator[tuple[str, Any]]:
    """Go through a configuration as `training.lr`, `loss.LABEL.weight`, with its values."""
    for key, value in config.items():
        yield from _leaves(key, value)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for inner in value:
            yield from _leaves(f"{path}.{inner.get('label', inner['use'])}", inner)
    else:
        yield path, value
