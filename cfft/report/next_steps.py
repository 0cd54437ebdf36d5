"""Rules that say what to try next, from what fine-tuning gained and lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from cfft.errors import shortened_list
from cfft.report.changes import Change

_MOST = 2
_TIMES_CHANCE, _ABOVE_CHANCE = 2, 0.1
"""Near chance is up to twice the share that guessing gets, and a tenth of the way from it to 1."""


@attrs.frozen(kw_only=True)
class Situation:
    """Hold what the rules look at.

    `name`: the configuration that is best OOD. `id`, `ood`: its changes from before fine-tuning,
    None where not known. `seeds`: those of its runs, empty where it is no run. `config`: the
    configuration of one of them. `level`: configurations that cannot be told from it OOD.
    `start`: the ID accuracy before fine-tuning, 0..1. `classes`: of the ID set. `id_set`: its name.
    """

    name: str
    id_set: str
    id: Change | None = None
    ood: Change | None = None
    seeds: tuple[int, ...] = ()
    config: Mapping[str, Any] = attrs.field(factory=dict)
    level: tuple[str, ...] = ()
    start: float | None = None
    classes: int | None = None


def next_steps(situation: Situation) -> list[str]:
    """Return at most two steps, those of the rules that apply and come first."""
    steps = (rule(situation) for rule in _RULES)
    return [step for step in steps if step is not None][:_MOST]


def check_prompts(now: Situation) -> str | None:
    """A model near chance before fine-tuning has class names or prompts that do not fit."""
    if now.start is None or not now.classes:
        return None
    chance = 1 / now.classes
    if now.start > min(_TIMES_CHANCE * chance, chance + _ABOVE_CHANCE * (1 - chance)):
        return None
    return (
        f"Before fine-tuning the model is near chance on {now.id_set} ({_percent(now.start)} with "
        f"{now.classes} classes, where guessing gives {_percent(chance)}): class names "
        "or prompts may not fit (--prompts), or its head was never trained."
    )


def keep_robustness(now: Situation) -> str | None:
    """OOD accuracy that was lost asks for a term that keeps it, or for more of that term."""
    if now.ood is None or not now.ood.is_loss or not now.config:
        return None
    stronger = _stronger(now.config.get("loss", ()))
    if stronger:
        return (
            f"OOD accuracy was lost: keep more of the starting model with a larger weight, such as "
            f"{stronger}."
        )
    return (
        "OOD accuracy was lost: train with a recipe that keeps the starting model's features, "
        "cfft run --recipe no-masking or --recipe best."
    )


def _stronger(losses: Sequence[Mapping[str, Any]]) -> str:
    """Spell twice the weight of every loss, empty where none has a weight."""
    return " ".join(
        f"--set loss.{loss.get('label', loss['use'])}.weight={2 * loss['weight']:g}"
        for loss in losses
        if isinstance(loss.get("weight"), (int, float))
    )


def train_longer(now: Situation) -> str | None:
    """An ID accuracy that was not gained asks for more steps or larger ones."""
    training = now.config.get("training", {})
    epochs, rate = training.get("epochs"), training.get("lr")
    if now.id is None or not (now.id.is_open or now.id.is_loss):
        return None
    longer = f" (--epochs {2 * epochs})" if isinstance(epochs, int) else ""
    larger = f" (--lr {2 * rate:g})" if isinstance(rate, float) else ""
    return (
        f"Nothing was gained on {now.id_set}: train longer{longer}, or with a larger learning "
        f"rate{larger}."
    )


def add_seeds(now: Situation) -> str | None:
    """One seed says nothing of how far runs lie apart."""
    if len(now.seeds) != 1:
        return None
    others = [f"--seed {seed}" for seed in (0, 1, 2) if seed != now.seeds[0]][-2:]
    return (
        f"{now.name} was run with one seed: repeat it with {' and '.join(others)} to see how far "
        "runs lie apart."
    )


def measure_more(now: Situation) -> str | None:
    """Differences within their intervals ask for more images or more seeds."""
    if now.level:
        return (
            f"{shortened_list(now.level)} cannot be told from {now.name}: measure on more OOD "
            "images, or compare over more seeds."
        )
    if now.ood is not None and now.ood.is_open:
        return (
            "The change on the OOD average is within its interval: measure on more OOD images, or "
            "repeat the run with more seeds."
        )
    return None


_RULES: Sequence[Callable[[Situation], str | None]] = (
    *(check_prompts, keep_robustness, train_longer, add_seeds, measure_more),
)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
