"""Compare configurations, setting by setting: do two name the same run, or the same images?

A configuration is what config.toml holds. What counts as the same depends on the purpose, and each
purpose has its function here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

from cfft.errors import ConfigError
from cfft.plugin.kinds import SEVERAL

Config = Mapping[str, Any]
_VERSIONS = ("cfft", "plugins")
_NAMED_BY = ("label", "use", "name")
_SHOWN = 40
MEASURED_FROM = ("backbone", "model", "suite")
"""Tables that say what is measured before fine-tuning."""

_EPOCHS = "training.epochs"
_UNTRAINED = (
    "training.workers",
    "training.checkpoint_every",
    "training.checkpoint_activations",
    "training.log_every",
    "training.keep_decoded",
    "training.keep_best",
    "training.keep_gib",
    "training.no_before",
)
_LATER: Mapping[str, Any] = {
    "task.class_weights": "none",
    "training.augment": "none",
    "training.decay_on": "all",
    "training.freeze": "none",
    "training.layer_decay": 1.0,
    "training.limit_eval": "none",
    "training.sampling": "shuffled",
    "training.val_metric": "top1",
}
"""Settings that older configurations lack, with the values that they had without a name."""


def shape_problem(config: Config) -> str | None:
    """Say what in a stored configuration is no seed, table or list of tables where one belongs."""
    for key, value in config.items():
        is_right, wanted = _SHAPES.get(key, (lambda found: isinstance(found, Mapping), "a table"))
        if not is_right(value):
            return f"got {str(value)[:_SHOWN]!r} as {key}, wanted {wanted}"
        if isinstance(value, Mapping) and not isinstance(value.get("use", ""), str):
            return f"got {str(value['use'])[:_SHOWN]!r} as {key}.use, wanted a name"
    return None


def _is_seed(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _named_by(name: str) -> Callable[[Any], bool]:
    """Return what tells lists of tables with a text `name`, and with labels that are texts."""
    return lambda value: (
        isinstance(value, list)
        and all(
            isinstance(each, Mapping)
            and isinstance(each.get(name), str)
            and isinstance(each.get("label", ""), str)
            for each in value
        )
    )


_SHAPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("seed", "split_seed"), (_is_seed, "a whole number")),
    **dict.fromkeys(SEVERAL, (_named_by("use"), "a list of tables with use")),
    "view": (_named_by("label"), "a list of tables with label"),
    "stage": (_named_by("name"), "a list of tables with name"),
}


@attrs.frozen
class Agreement:
    """Say whether two configurations agree; it is true where they do.

    `differences`: the settings that differ, as `path: before -> now`.
    """

    differences: tuple[str, ...]

    def __bool__(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        return "; ".join(self.differences)


def flattened(config: Config) -> dict[str, Any]:
    """Return the values of a configuration as `training.lr`, `loss.LABEL.weight`."""
    return {path: found for key, value in config.items() for path, found in _leaves(key, value)}


def settings(config: Config) -> dict[str, Any]:
    """Return what is flattened but for the versions of cfft and of plug-ins."""
    return flattened({key: value for key, value in config.items() if key not in _VERSIONS})


def versions(config: Config) -> dict[str, Any]:
    """Return the flattened versions of cfft and of plug-ins."""
    return flattened({key: value for key, value in config.items() if key in _VERSIONS})


def same_run(before: Config, now: Config) -> Agreement:
    """Compare everything but versions; the order of losses counts, as they are summed in it."""
    return Agreement(tuple(spelled_change(path, *pair) for path, pair in _pairs(before, now)))


def differing(before: Config, now: Config) -> dict[str, tuple[Any, Any]]:
    """Return the values of the settings that `same_run` finds to differ, by path."""
    return dict(_pairs(before, now))


def spelled_change(path: str, before: Any, now: Any) -> str:
    """Spell how a setting differs."""
    return f"{path}: {_shown(before)} -> {_shown(now)}"


def _pairs(before: Config, now: Config) -> Iterator[tuple[str, tuple[Any, Any]]]:
    return _unequal(*({**_orders(each), **settings(each)} for each in (before, now)))


def is_longer(before: Config, now: Config) -> bool:
    """Tell whether a configuration differs from an earlier one by more epochs alone."""
    one, other = (dict(settings(each)) for each in (before, now))
    epochs = one.pop(_EPOCHS, None), other.pop(_EPOCHS, None)
    if not all(isinstance(each, int) for each in epochs) or _orders(before) != _orders(now):
        return False
    return one == other and epochs[0] < epochs[1]


def same_versions(before: Config, now: Config) -> Agreement:
    """Compare the versions of cfft and of plug-ins alone."""
    return _agreement(versions(before), versions(now))


def but_for_seed(config: Config) -> dict[str, Any]:
    """Return the flattened settings that runs of one configuration share, whatever their seed.

    The seed is left out, also as a part of paths (runs/vanilla/seed-0), and so are versions, what
    does not touch the result, and settings that came later where they change nothing.
    """
    seed = re.compile(rf"(seed\W?){config.get('seed')}\b")
    return {
        path: seed.sub(r"\1{seed}", value) if isinstance(value, str) else value
        for path, value in settings(config).items()
        if path not in ("seed", "split_seed", *_UNTRAINED)
        and (path not in _LATER or value != _LATER[path])
    }


def configuration_digest(config: Config) -> str:
    """Return a SHA-256 that two configurations share if they are the same but for the seed.

    Evaluations store it: it must not change for configurations that exist.
    """
    listed = json.dumps(sorted(but_for_seed(config).items()), default=str)
    return hashlib.sha256(listed.encode()).hexdigest()


def begins_alike(one: Config, other: Config) -> bool:
    """Tell whether two runs are likely to measure the same before fine-tuning, weights aside."""
    return all(one.get(table) == other.get(table) for table in MEASURED_FROM)


def same_images(suite: Config, other: Config, *, wherever: bool = False) -> Agreement:
    """Compare the settings that two suites have; see `in_terms_of`.

    `wherever`: where a folder lies makes no difference, nor whether one is named.
    """
    pair = [flattened({"suite": each}) for each in (in_terms_of(suite, other), other)]
    if wherever:
        pair = [{path: _unplaced(value) for path, value in each.items()} for each in pair]
    return _agreement(*pair)


def in_terms_of(suite: Config, other: Config) -> dict[str, Any]:
    """Return what a suite says of the settings that another one has.

    What it does not say, as older versions do not, is as in the other. Of a suite with another name
    nothing but the name is said.
    """
    use = suite.get("use", other.get("use"))
    said = suite if use == other.get("use") else {"use": use}
    return {name: said.get(name, value) for name, value in other.items()}


def check_agree(configs: Mapping[str, Config], table: str, remedy: str) -> None:
    """Raise ConfigError, which ends with `remedy`, unless all have the same settings in a table.

    `configs`: configurations by what the error calls them.
    """
    for (first, one), (second, other) in pairwise(configs.items()):
        agreement = _agreement(*(flattened({table: each[table]}) for each in (one, other)))
        if not agreement:
            raise ConfigError(
                f"{first} and {second} used different {table}s ({agreement}): {remedy}"
            )


def _agreement(before: Config, now: Config) -> Agreement:
    return Agreement(tuple(spelled_change(path, *pair) for path, pair in _unequal(before, now)))


def _unequal(before: Config, now: Config) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for path in dict.fromkeys([*before, *now]):
        pair = before.get(path), now.get(path)
        if pair[0] != pair[1]:
            yield path, pair


def _orders(config: Config) -> dict[str, Any]:
    """Return the labels of losses and teachers, in order."""
    return {
        key: [_label(table) for table in value] for key, value in config.items() if _is_list(value)
    }


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    elif _is_list(value):
        for inner in value:
            yield from _leaves(f"{path}.{_label(inner)}", inner)
    else:
        yield path, value


def _is_list(value: Any) -> bool:
    """Tell whether a value is a list of tables; one without any is a plain value."""
    return (
        isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)
    )


def _label(table: Config) -> str:
    return str(next((table[key] for key in _NAMED_BY if key in table), ""))


def _shown(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value) or "nothing"
    return "nothing" if value is None else str(value)


def _unplaced(value: Any) -> Any:
    """Return a value with None for every absolute path and for none, also in lists."""
    if isinstance(value, (list, tuple)):
        return [_unplaced(inner) for inner in value]
    is_place = isinstance(value, str) and (value == "none" or Path(value).is_absolute())
    return None if is_place else value
