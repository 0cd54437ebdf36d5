"""Groups of models that differ in their seed alone, and their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from cfft.config.comparison import Config, but_for_seed
from cfft.config.layers import usual
from cfft.evaluation.files.evaluation import Identity

Place = tuple[str, str, str | None]
M = TypeVar("M", bound=Identity)
Member = tuple[float | None, int | None]
_MOST_TOLD = 4


def group_name(model: Identity) -> str:
    """Return the name of a model's group in tables; weight ensembles of one alpha are one."""
    return model.group if model.alpha is None else f"{model.group}, alpha {model.alpha:g}"


def in_groups(models: Sequence[M]) -> list[M]:
    """Return the models in groups: one configuration each, and no seed of it twice.

    Models of one configuration share the name that comes first, whatever their sources call it;
    two configurations of one name are told apart by their sources. A run that was measured twice is
    not two seeds, nor are two runs with one seed: whatever comes from a source that repeats a seed
    of an earlier one has a group called after the source.
    """
    places = _groups_by_place(models)
    found: list[M] = []
    seen = set()
    for model in models:
        name = places[_place(model)]
        member = (name, model.alpha, model.seed)
        found.append(attrs.evolve(model, group=model.label if member in seen else name))
        seen.add(member)
    return found


def _groups_by_place(models: Sequence[Identity]) -> dict[Place, str]:
    members: dict[Place, set[Member]] = {}
    for model in models:
        members.setdefault(_place(model), set()).add((model.alpha, model.seed))
    taken: dict[str, set[Member]] = {}
    names: dict[Place, str] = {}
    for (place, own), name in zip(members.items(), _first_names(members), strict=True):
        earlier = taken.setdefault(name, set())
        names[place] = f"{name} ({place[1]})" if own & earlier else name
        earlier |= own
    return names


def _first_names(places: Iterable[Place]) -> Iterator[str]:
    """Give the name that each configuration has first, with its source if it is taken."""
    known: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name, source, configuration in places:
        if configuration is not None:
            free = owners.get(name, configuration) == configuration
            name = known.setdefault(configuration, name if free else f"{name} ({source})")
            owners.setdefault(name, configuration)
        yield name


def _place(model: Identity) -> Place:
    return model.group, model.source, model.configuration


def group_names(configs: Sequence[Config]) -> list[str]:
    """Name the group of each run after its mask, fill or losses; `configs` as config.toml holds.

    Two runs share a group where their configurations are the same `but_for_seed`. Groups of one
    name are told apart by the values that differ among them; where many do by as few as it takes.
    """
    facts = list(map(but_for_seed, configs))
    methods = _methods(configs)
    return [
        _distinct(name, own, [f for other, f in zip(methods, facts, strict=True) if other == name])
        for name, own in zip(methods, facts, strict=True)
    ]


def _methods(configs: Sequence[Config]) -> list[str]:
    """Name how each run was trained: "object + single", or its losses, or "vanilla".

    A task that is not the usual one comes first; an adaptation that is not, an average and a merge
    come last. Losses that not all runs of one name have are added to it.
    """
    losses = [[loss.get("label", loss["use"]) for loss in c.get("loss", ())] for c in configs]
    names = []
    for config, own in zip(configs, losses, strict=True):
        mask, fill = (config.get(kind, {}).get("use", "none") for kind in ("mask", "fill"))
        task = config.get("task", {}).get("use", usual("task"))
        parts = [
            *([] if task == usual("task") else [task]),
            *(own if mask == "none" else (mask, fill)),
        ] or ["vanilla"]
        names.append(" + ".join([*parts, *_on_weights(config)]))
    shared: dict[str, set[str]] = {}
    for name, own in zip(names, losses, strict=True):
        shared[name] = shared.get(name, set(own)).intersection(own)
    return [
        " + ".join([name, *(loss for loss in own if loss not in shared[name])])
        for name, own in zip(names, losses, strict=True)
    ]


def _on_weights(config: Config) -> Iterator[str]:
    """Give the unusual names of what a run does with its weights."""
    for kind in ("adaptation", "average", "merge"):
        use = config.get(kind, {}).get("use")
        if use not in (None, usual(kind)):
            yield use


def _distinct(name: str, own: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str:
    keys = dict.fromkeys(key for facts in others for key in facts)
    differing = [key for key in keys if any(f.get(key) != own.get(key) for f in others)]
    told = differing if len(differing) <= _MOST_TOLD else _telling(differing, others)
    words = [f"{_short(key, differing)} {own.get(key, 'none')}" for key in told]
    more = len(differing) - len(told)
    return ", ".join([name, *words]) + (f" and {more} more settings" if more else "")


def _telling(keys: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the first keys whose values tell all of these configurations apart."""
    told: list[str] = []
    for key in keys:
        if _kinds(configs, [*told, key]) > _kinds(configs, told):
            told.append(key)
    return told


def _kinds(configs: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> int:
    return len({tuple(str(config.get(key, "none")) for key in keys) for config in configs})


def _short(key: str, keys: Sequence[str]) -> str:
    """Leave out all but the last word of a path, unless that is another path's last word too."""
    last = key.rpartition(".")[2]
    alike = [other for other in keys if other.rpartition(".")[2] == last]
    return key if len(alike) > 1 else last
