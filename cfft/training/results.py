"""results.json: the accuracies before and after a run, and how it went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import attrs
from cattrs.gen import override

from cfft.config.comparison import shape_problem
from cfft.runtime.files import StoredFile
from cfft.runtime.json_files import SCHEMA
from cfft.scoring.averages import ood_average
from cfft.scoring.results import SetResult

MEASURES = {"top1": "top-1", "class-mean": "class mean", "loss": "loss"}
"""What validation measures, as people read it, by the values of --val-metric."""

MERGED = "merged"
"""The candidate that merged weights are where they were not tried under another name."""


def chosen_by(metric: str, measured: Mapping[str, float]) -> float:
    """Return what an epoch is chosen by, the higher the better, from its line of metrics.jsonl."""
    found = measured[f"val_{metric.replace('-', '_')}"]
    return -found if metric == "loss" else found


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


@attrs.frozen
class MergeCandidate:
    """Hold the validation accuracy of weights that a merge tried, 0..1."""

    candidate: str
    val_top1: float


@attrs.frozen(kw_only=True)
class MergeResults:
    """Hold how models were merged: what was tried, and what was taken.

    `merge`: name of the strategy. `chosen`: the candidate whose weights were taken, None where the
    merged weights are none of them. `val_top1`: their validation accuracy, None where it was not
    measured. `unmerged_val_top1`: that of the best checkpoint of a run before the merge.
    """

    merge: str
    candidates: tuple[MergeCandidate, ...] = ()
    chosen: str | None = None
    val_top1: float | None = None
    unmerged_val_top1: Annotated[float | None, override(omit_if_default=True)] = None


@attrs.frozen(kw_only=True)
class RunResults:
    """Hold what a finished run says in results.json; see docs/on-disk.md for each key.

    `hidden`: the share of an image that each view hides on average, as training begins, by label.
    `start`: a SHA-256 of what the accuracies before fine-tuning depend on. `changes`: what was
    allowed to differ when the run was resumed. `best_val`: what the best epoch was chosen by, where
    that is not its accuracy. `kept_epochs`: where several are kept, the best first. `files`: what
    the run's other files have to be, by path in its directory.
    Files of older versions lack some of what has a default here.
    """

    schema: int = SCHEMA
    run: str = ""
    config: dict[str, Any] = attrs.field()
    sets: dict[str, SetResult]
    ood_average: float | None = None
    before: ModelResults
    differences: Gains = Gains()
    classes: tuple[str, ...] = ()
    absent: dict[str, str] = attrs.field(factory=dict)
    skipped: tuple[Mapping[str, str], ...] = ()
    hidden: dict[str, float] = attrs.field(factory=dict)
    start: str | None = None
    epochs: int = 0
    best_epoch: int = 0
    best_val_top1: float | None = None
    best_val: Annotated[float | None, override(omit_if_default=True)] = None
    kept_epochs: Annotated[tuple[int, ...], override(omit_if_default=True)] = ()
    stopped_early: bool = False
    merge: Annotated[MergeResults | None, override(omit_if_default=True)] = None
    precision: str | None = None
    device: str | None = None
    processes: int | None = None
    seconds: float = 0.0
    images_per_second: float = 0.0
    changes: Annotated[tuple[str, ...], override(omit_if_default=True)] = ()
    files: dict[str, StoredFile] = attrs.field(factory=dict)

    @config.validator
    def _is_configuration(self, _: Any, config: Mapping[str, Any]) -> None:
        problem = shape_problem(config)
        if problem is not None:
            raise ValueError(f"{problem} in config")

    @property
    def seed(self) -> int | None:
        return self.config.get("seed")

    @property
    def suite(self) -> dict[str, Any]:
        found: dict[str, Any] = self.config.get("suite", {})
        return found
