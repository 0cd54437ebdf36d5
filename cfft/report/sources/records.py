"""What a report is made from, whatever file it was read from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs.validators import and_, ge, le

from cfft.scoring.scores import LabelSpace

ID = "id"
OOD = "ood"
AVERAGE = "OOD average"
"""What the mean over all OOD sets is called, as if it were a set."""
_share = and_(ge(0), le(1))


@attrs.frozen
class Accuracy:
    """Hold what a model reached on one set; shares of 0..1, None where the source does not say.

    `role`: id or ood. `ci95`: 95 % confidence interval of `top1`. `class_mean`: mean of the
    accuracies by class. `ece`: expected calibration error.
    """

    role: str
    top1: float = attrs.field(validator=_share)
    n: int | None = None
    classes: int | None = None
    ci95: tuple[float, float] | None = None
    class_mean: float | None = None
    top5: float | None = None
    ece: float | None = None


@attrs.frozen
class Robustness:
    """Hold effective robustness as its evaluation measured it; shares, None where not known.

    `low` and `high`: the ends of its 95 % confidence interval for the choice of images.
    """

    value: float
    low: float | None = None
    high: float | None = None


@attrs.frozen
class Model:
    """Hold one measured model.

    `label`: its name, unique in a report. `source`: the file or directory that it was read from.
    `group`: the name that seeds of one configuration share. `alpha`: set for weight ensembles,
    (1 - alpha) * starting model + alpha * fine-tuned model. `ood_ci95`: 95 % confidence interval
    of its OOD average. `id_on_classes_of`: by OOD set, ID top-1 among its classes. `robustness`: by
    OOD set and for the OOD average. `predictions`: .npz files by set. `is_start`: whether it is the
    model before fine-tuning. `is_run`: whether it was read from the run that made it.
    `configuration`: a digest that models of one group share. `run_digest`: that of the run that it
    is or is mixed from, wherever that lies. `label_space`: whether the arg-max was taken among the
    classes of each set or among all. These three are None where the source does not say.
    """

    label: str
    source: str
    group: str
    sets: Mapping[str, Accuracy]
    seed: int | None = None
    alpha: float | None = None
    ood_ci95: tuple[float, float] | None = None
    id_on_classes_of: Mapping[str, float | None] = attrs.field(factory=dict)
    robustness: Mapping[str, Robustness] = attrs.field(factory=dict)
    predictions: Mapping[str, Path] = attrs.field(factory=dict)
    is_start: bool = False
    is_run: bool = False
    configuration: str | None = None
    run_digest: str | None = None
    label_space: LabelSpace | None = None


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
        """The seed of the run, None where its configuration does not say."""
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
class Material:
    """Hold everything that was read, in the order in which it was asked for.

    `classes`: class names by index, by the source of models. `suites`: settings of their suites, by
    the source too. `notes`: sentences that a reader of the accuracies must know.
    """

    models: tuple[Model, ...] = ()
    classes: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    suites: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    runs: tuple[Run, ...] = ()
    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()
