"""Records that a report is made from, whatever file they were read from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from cfft.data.consistency import OOD_AVERAGE
from cfft.evaluation.compare.frontier import FrontierResults
from cfft.evaluation.files.evaluation import BEFORE, EvaluatedModel
from cfft.scoring.results import Role
from cfft.scoring.scores import LabelSpace

ID: Role = "id"
OOD: Role = "ood"
AVERAGE = "OOD average"
"""The name of the mean over all OOD sets, as if it were a set."""


@attrs.frozen
class Robustness:
    """Hold effective robustness as its evaluation measured it; shares, None where not known.

    `low` and `high`: the ends of its 95 % confidence interval for the choice of images.
    """

    value: float
    low: float | None = None
    high: float | None = None


@attrs.frozen(kw_only=True)
class ReportedModel(EvaluatedModel):
    """Hold a model with the place that it was read from, its `source`; its label is unique.

    `files`: the predictions that are there, by set. `is_run`: whether it was read from the run that
    made it. `label_space`: whether the arg-max was taken among the classes of each set or among
    all, None where the source does not say. `before`: top-1 by set before its run, empty where the
    source does not say.
    """

    files: Mapping[str, Path] = attrs.field(factory=dict)
    is_run: bool = False
    label_space: LabelSpace | None = None
    before: Mapping[str, float] = attrs.field(factory=dict)

    @property
    def is_start(self) -> bool:
        return self.kind in BEFORE

    @property
    def robustness(self) -> dict[str, Robustness]:
        """Effective robustness by OOD set and for the OOD average, where its evaluation has it."""
        ends = self.effective_robustness_ci95 or {}
        return {
            AVERAGE if name == OOD_AVERAGE else name: Robustness(value, *(ends.get(name) or ()))
            for name, value in (self.effective_robustness or {}).items()
            if value is not None
        }


@attrs.frozen
class Run:
    """Hold how a model came about.

    `config`: the resolved configuration. `metrics`: the lines of metrics.jsonl. `sheet`: the
    image of counterfactuals, None where the run made none.
    """

    label: str
    group: str
    config: Mapping[str, Any]
    metrics: tuple[Mapping[str, Any], ...]
    sheet: Path | None

    @property
    def seed(self) -> int | None:
        return self.config.get("seed")


def by_group(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Return the runs of each configuration, in order."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    return groups


@attrs.frozen
class Difference:
    """Hold the paired difference a - b of two models' accuracies on `set`, shares, with its CI.

    `a` and `b`: labels of models from `source`.
    """

    a: str
    b: str
    set: str
    difference: float
    ci95: tuple[float, float]
    source: str


@attrs.frozen
class FrontierSource:
    """Hold the frontier of a sweep; `suffix` tells its rows from those of other sweeps."""

    found: FrontierResults
    suffix: str = ""

    def called(self, row: str) -> str:
        """Return the name of one of its rows in the report."""
        return f"{row}{self.suffix}"


@attrs.frozen
class Material:
    """Hold everything that was read, in the order in which it was asked for.

    `classes`: class names by index, by the source of models. `suites`: settings of their suites, by
    the source too. `frontiers`: of sweeps. `notes`: sentences that a reader of the accuracies must
    know.
    """

    models: tuple[ReportedModel, ...] = ()
    classes: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    suites: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    runs: tuple[Run, ...] = ()
    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()
    frontiers: tuple[FrontierSource, ...] = ()
