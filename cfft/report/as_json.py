"""What a report says, as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from cfft.report.sources.records import AVERAGE, Accuracy, Model
from cfft.report.summary import Group, Summary, spread

SCHEMA = 1


def as_json(summary: Summary) -> dict[str, Any]:
    """Return the numbers of all tables and how the runs were configured; see docs/report.md."""
    return {
        "schema": SCHEMA,
        "id_set": summary.id_set,
        "sets": dict(summary.sets),
        "models": [_model(summary, model) for model in summary.material.models],
        "groups": [_group(summary, group) for group in summary.groups],
        "lines": {name: attrs.asdict(line) for name, line in summary.lines.items()},
        "baseline": list(summary.baseline),
        "differences": [attrs.asdict(found) for found in summary.material.differences],
        "runs": [
            {"run": run.label, "group": run.group, "config": run.config}
            for run in summary.material.runs
        ],
    }


def _model(summary: Summary, model: Model) -> dict[str, Any]:
    return {
        "model": model.label,
        "source": model.source,
        "group": model.group,
        "seed": model.seed,
        "alpha": model.alpha,
        "sets": {name: _known(entry) for name, entry in model.sets.items()},
        "ood_average": summary.value(model, AVERAGE),
        "ood_ci95": model.ood_ci95,
        "id_on_classes_of": dict(model.id_on_classes_of),
        "effective_robustness_in_evaluation": {
            name: attrs.asdict(found) for name, found in model.robustness.items()
        },
        "effective_robustness": {n: summary.robustness(model, n) for n in summary.lines},
    }


def _known(entry: Accuracy) -> dict[str, Any]:
    return {key: value for key, value in attrs.asdict(entry).items() if value is not None}


def _group(summary: Summary, group: Group) -> dict[str, Any]:
    return {
        "group": group.name,
        "models": [model.label for model in group.models],
        "sets": _spreads(summary, group, summary.sets),
        "ood_average": _spreads(summary, group, [AVERAGE])[AVERAGE],
    }


def _spreads(summary: Summary, group: Group, names: Iterable[str]) -> dict[str, Any]:
    found = {n: spread(summary.value(model, n) for model in group.models) for n in names}
    return {name: each and attrs.asdict(each) for name, each in found.items()}
