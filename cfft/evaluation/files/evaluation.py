"""The format of evaluation.json: models side by side, their images, their differences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
from cattrs.gen import override

from cfft.runtime.json_files import SCHEMA, read_json
from cfft.scoring.results import SetResult
from cfft.scoring.robustness import AccuracyLine
from cfft.scoring.scores import LabelSpace
from cfft.scoring.spread import Spread

EVALUATION = "evaluation.json"
Interval = tuple[float, float]
ModelKind = Literal["run", "weights", "zero-shot", "pretrained"]
BEFORE: tuple[ModelKind, ...] = ("zero-shot", "pretrained")
"""Kinds of the model before fine-tuning: with a zero-shot head, and with another one."""


def kind_before(head: str) -> ModelKind:
    """Return the kind of a model before fine-tuning with such a head."""
    return "zero-shot" if head == "zero-shot" else "pretrained"


@attrs.frozen
class Identity:
    """Identify a model.

    `label`: what tables call it, "model" in files. `source`: what the user wrote. `group`: the name
    that models of one configuration share whatever their seed. `alpha`: the share of the fine-tuned
    weights in a weight ensemble, else None. `head`: zero-shot, linear-probe or own, what its head
    is or started from; stored, where a file does not say; None where nothing does. `configuration`:
    a digest that models of one group share in every evaluation. `facts`: as ModelDescription has
    them. `run_digest`: as RunDirectory reads it, of the run that it is or is mixed from, if
    finished.
    """

    label: Annotated[str, override(rename="model")]
    source: str
    kind: ModelKind
    group: str
    seed: int | None = None
    alpha: float | None = None
    head: str | None = None
    configuration: str | None = None
    facts: Mapping[str, str] | None = None
    run_digest: str | None = None


@attrs.frozen(kw_only=True)
class EvaluatedModel(Identity):
    """Hold a model with its accuracies by set; see docs/evaluate.md for each value.

    `predictions`: their folder beside evaluation.json. Intervals are 95 % confidence intervals.
    """

    predictions: str | None = None
    sets: dict[str, SetResult]
    ood_average: float | None = None
    ood_ci95: Interval | None = None
    id_on_classes_of: Mapping[str, float | None] = attrs.field(factory=dict)
    effective_robustness: dict[str, float | None] | None = None
    effective_robustness_ci95: dict[str, Interval | None] | None = None

    @property
    def identity(self) -> Identity:
        """The identity alone, without what was measured."""
        return Identity(**{f.name: getattr(self, f.name) for f in attrs.fields(Identity)})


@attrs.frozen
class Gap:
    """Hold a paired difference of two accuracies and its 95 % confidence interval."""

    difference: float
    ci95: Interval


@attrs.frozen
class PairedDifferences:
    """Hold the differences of the model `a` from the model `b`, a minus b, by set."""

    a: str
    b: str
    ood_average: Gap | None = None
    sets: dict[str, Gap] = attrs.field(factory=dict)


@attrs.frozen
class SeedGroup:
    """Hold mean and standard deviation over the seeds of a configuration; `models`: labels."""

    group: str
    alpha: float | None
    models: tuple[str, ...]
    ood_average: Spread | None
    sets: dict[str, Spread]


@attrs.frozen(kw_only=True)
class EvaluationResults:
    """Hold the content of evaluation.json; see docs/evaluate.md.

    Files of older versions lack some of what has a default here.
    """

    schema: int = SCHEMA
    cfft: str = ""
    suite: Mapping[str, Any] = attrs.field(factory=dict)
    baseline_line: str | None = None
    seed: int | None = None
    label_space: LabelSpace = "subset"
    classes: tuple[str, ...] = ()
    absent: Mapping[str, str] = attrs.field(factory=dict)
    passed_over: Mapping[str, Mapping[str, int]] = attrs.field(factory=dict)
    skipped: tuple[Mapping[str, str], ...] = ()
    precision: str | None = None
    device: str | None = None
    processes: int | None = None
    baseline: str | None = None
    lines: Mapping[str, AccuracyLine] = attrs.field(factory=dict)
    models: tuple[EvaluatedModel, ...]
    differences: tuple[PairedDifferences, ...] = ()
    groups: tuple[SeedGroup, ...] = ()


def read_evaluation(path: Path) -> EvaluationResults:
    """Read the evaluation.json in or at `path`; raises DataError."""
    file = path / EVALUATION if path.is_dir() else path
    return read_json(file, EvaluationResults, "evaluation")
