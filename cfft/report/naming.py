"""Which runs differ in their seed alone, and what to call them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NOT_THE_METHOD = ("seed", "cfft.", "plugins.")
_MOST_NAMED = 3


def flat(config: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Go through a configuration as `training.lr`, `loss.NAME.weight`, with its values."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{path}{key}.")
        elif isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value):
            for entry in value:
                yield from flat(entry, f"{path}{key}.{entry.get('label', entry.get('use'))}.")
        else:
            yield f"{path}{key}", value


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the seeds of one configuration share: all but the seed and the versions."""
    return {key: value for key, value in flat(config) if not key.startswith(_NOT_THE_METHOD)}


def group_names(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a name per run, the same for runs that differ in the seed or in versions alone.

    A name says the method, as in "MASK + FILL" or, without a mask, the losses; where several have
    the same one, also in which settings they differ.
    """
    shared = [settings(config) for config in configs]
    methods = [_method(config) for config in configs]
    names = [
        _told_apart(method, own, [s for s, m in zip(shared, methods, strict=True) if m == method])
        for method, own in zip(methods, shared, strict=True)
    ]
    return _numbered(names, shared)


def _method(config: Mapping[str, Any]) -> str:
    uses = [config.get(kind, {}).get("use", "none") for kind in ("mask", "fill")]
    is_masking = uses[0] != "none"
    parts = uses if is_masking else [loss["use"] for loss in config.get("loss", ())]
    return " + ".join(parts) or "vanilla"


def _told_apart(method: str, own: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str:
    keys = dict.fromkeys(key for other in others for key in other)
    differing = [key for key in keys if any(o.get(key) != own.get(key) for o in others)]
    said = [f"{key.rpartition('.')[2]} {own[key]}" for key in differing if key in own]
    return f"{method} ({', '.join(said[:_MOST_NAMED])})" if said else method


def _numbered(names: Sequence[str], shared: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tell different configurations with the same name apart by a number."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for name, own in zip(names, shared, strict=True):
        known = kinds.setdefault(name, [])
        if own not in known:
            known.append(own)
    clashing = Counter({name: len(known) for name, known in kinds.items()})
    return [
        f"{name} #{kinds[name].index(own) + 1}" if clashing[name] > 1 else name
        for name, own in zip(names, shared, strict=True)
    ]
