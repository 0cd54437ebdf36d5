"""results.json: the accuracies before and after a run, and how it went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from cfft.runtime.json_files import SCHEMA
from cfft.scoring.averages import ood_average
from cfft.scoring.results import SetResult


@attrs.frozen
class ModelResults:
    """Hold the accuracies of a model by set; `ood_average` is None without OOD sets."""

    sets: dict[str, SetResult]
    ood_average: float | None = None

    @classmethod
    def of(cls, sets: dict[str, SetResult]) -> ModelResults:
        """Add the average over the OOD sets."""
        shares = {name: each.top1 for name, each in sets.items() if each.role == "ood"}
        return cls(sets, ood_average(shares, shares))


@attrs.frozen
class Gains:
    """Hold how top-1 changed, after minus before, by set and for the OOD average."""

    sets: dict[str, float] = attrs.field(factory=dict)
    ood_average: float | None = None

    @classmethod
    def between(cls, before: ModelResults, after: ModelResults) -> Gains:
        """Compare a model after training with the one before."""
        sets = {name: after.sets[name].top1 - each.top1 for name, each in before.sets.items()}
        if before.ood_average is None or after.ood_average is None:
            return cls(sets)
        return cls(sets, after.ood_average - before.ood_average)


@attrs.frozen(kw_only=True)
class RunResults:
    """Hold what a finished run says in results.json; see docs/on-disk.md for each key.

    `hidden`: the share of an image that each view hides on average, as training begins, by label.
    Files of older versions lack some of what has a default here.
    """

    schema: int = SCHEMA
    run: str = ""
    config: dict[str, Any]
    sets: dict[str, SetResult]
    ood_average: float | None = None
    before: ModelResults
    differences: Gains = Gains()
    classes: tuple[str, ...] = ()
    absent: dict[str, str] = attrs.field(factory=dict)
    skipped: tuple[Mapping[str, str], ...] = ()
    hidden: dict[str, float] = attrs.field(factory=dict)
    epochs: int = 0
    best_epoch: int = 0
    best_val_top1: float | None = None
    stopped_early: bool = False
    precision: str | None = None
    device: str | None = None
    processes: int | None = None
    seconds: float = 0.0
    images_per_second: float = 0.0

    @property
    def seed(self) -> int | None:
        return self.config.get("seed")

    @property
    def suite(self) -> dict[str, Any]:
        found: dict[str, Any] = self.config.get("suite", {})
        return found
