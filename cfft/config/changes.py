"""Settings that a begun run may go on with in another way, and why others may not change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from cfft.config.comparison import Config, differing, is_longer, spelled_change
from cfft.errors import ConfigError

SETTINGS = "settings"
"""How a user says that settings have changed on purpose."""

_FROM_NOW_ON = frozenset(
    f"training.{name}"
    for name in (
        *("lr", "weight_decay", "beta1", "beta2", "schedule", "warmup_steps", "warmup_share"),
        *("clip_norm", "clip_at", "precision", "micro_batch", "patience", "ties"),
        *(
            "workers",
            "checkpoint_every",
            "log_every",
            "checkpoint_activations",
            "keep_best",
            "keep_gib",
            "keep_decoded",
        ),
    )
)
"""Settings that each step, validation or file takes anew."""
_SCHEDULED = frozenset(
    f"training.{name}"
    for name in ("lr", "beta1", "beta2", "schedule", "warmup_steps", "warmup_share")
)
_ONE_CYCLE = "one-cycle"

_DRAWN = "images, masks and their order are drawn from it, also those of the steps that are done"
_MASKED = (
    "it made the masks of the steps that are done, counterfactuals.png and `hidden` in the results"
)
_REASONS: Mapping[str, str] = {
    "seed": _DRAWN,
    "split_seed": _DRAWN,
    "training.epochs": "a run can be made longer, not shorter",
    "training.batch_size": "the steps that are done are counted in batches of the first size",
    "training.limit_train": "it chooses the images",
    "training.skip_unreadable": "it chooses the images",
    "training.limit_eval": "it chooses the images",
    "training.augment": "it changes the images",
    "training.sampling": "the order of images is drawn by it",
    "training.freeze": "it chooses the weights that are trained",
    "training.layer_decay": "the optimiser has grouped the weights by it",
    "training.decay_on": "the optimiser has grouped the weights by it",
    "training.val_metric": "the epochs that are done were compared by it",
    "training.no_before": "it is settled before the first step",
    "model": "it makes another model",
    "backbone": "it makes another model",
    "suite": "it chooses the images",
    "mask": _MASKED,
    "fill": _MASKED,
    "cam": _MASKED,
    "view": _MASKED,
    "task": "another task is another run",
    "loss": "other losses are another run; numbers of one may change, such as its weight",
    "teacher": "the losses of the steps that are done follow it",
    "adaptation": "it chooses the weights that are trained",
    "average": "the steps that are done are averaged by it",
    "stage": "stages are runs of their own, done before",
}
_NUMBERS_OF = ("task", "loss")
_FILES_OF = ("model", "suite", "teacher")


@attrs.frozen
class Change:
    """Hold a setting that differs: `line` spells it, `refusal` says why it may not, or None."""

    line: str
    refusal: str | None


def changes(before: Config, now: Config) -> tuple[Change, ...]:
    """Return the settings that differ between a begun run and what it is to go on with."""
    one_cycle = any(_is_one_cycle(config) for config in (before, now))
    return tuple(
        Change(spelled_change(path, *pair), _refusal(path, *pair, one_cycle=one_cycle))
        for path, pair in differing(before, now).items()
    )


def check_changes(
    before: Config, now: Config, head: str, tail: str, *, allowed: bool | None
) -> tuple[Change, ...]:
    """Return the changes; raises ConfigError between `head` and `tail` that lists refused ones.

    `allowed`: whether the user takes changed settings, None where that is not possible. More epochs
    alone are always allowed.
    """
    found = changes(before, now)
    if not found or is_longer(before, now):
        return found
    refused = [each for each in found if each.refusal is not None or not allowed]
    if refused:
        possible = allowed is False and all(each.refusal is None for each in refused)
        remedy = f", or go on with them by --allow-changed {SETTINGS}" if possible else ""
        raise ConfigError(head, *_listed(refused, reasons=allowed is not None), f"{tail}{remedy}")
    return found


def _listed(refused: Sequence[Change], *, reasons: bool) -> list[str]:
    return [
        f"  {each.line}" + (f" ({each.refusal})" if reasons and each.refusal else "")
        for each in refused
    ]


def _refusal(path: str, before: Any, now: Any, *, one_cycle: bool) -> str | None:
    kind = path.partition(".")[0]
    if one_cycle and path in _SCHEDULED:
        return "the schedule one-cycle is laid down as a run begins"
    if path == "training.epochs" and _numbers(before, now) and now > before:
        return None
    if path in _FROM_NOW_ON or kind == "merge":
        return None
    if kind in _NUMBERS_OF and path != kind and _numbers(before, now):
        return None
    if kind in _FILES_OF and _files(before, now):
        return None  # what is read from there is compared, whatever it is called
    return _REASONS.get(path) or _REASONS.get(kind, "it belongs to what the run was started with")


def _is_one_cycle(config: Config) -> bool:
    training = config.get("training", {})
    return isinstance(training, Mapping) and training.get("schedule") == _ONE_CYCLE


def _numbers(*values: Any) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def _files(*values: Any) -> bool:
    return all(isinstance(value, str) and Path(value).is_absolute() for value in values)
