"""A report as JSON, for programs."""

from __future__ import annotations

from typing import Any

import attrs

from cfft.report.changes import Change, Standing
from cfft.report.sources.records import AVERAGE, ReportedModel
from cfft.report.summary import Group, Summary
from cfft.report.verdict import Verdict, verdict
from cfft.runtime import json_files


def as_json(summary: Summary) -> dict[str, Any]:
    """Return the verdict, the numbers of all tables and how runs were configured.

    See docs/report.md.
    """
    data = {
        "schema": json_files.SCHEMA,
        "verdict": _verdict(verdict(summary)),
        "id_set": summary.id_set,
        "sets": summary.sets,
        "models": [_model(summary, model) for model in summary.material.models],
        "groups": [_group(summary, group) for group in summary.groups],
        "lines": summary.lines,
        "baseline": summary.baseline,
        "differences": summary.material.differences,
        "frontiers": [source.found for source in summary.material.frontiers],
        "runs": [
            {"run": run.label, "group": run.group, "config": run.config}
            for run in summary.material.runs
        ],
    }
    plain: dict[str, Any] = json_files.as_json(data)
    return plain


def _verdict(found: Verdict) -> dict[str, Any]:
    return {
        "sentences": found.sentences,
        "next": found.steps,
        "notes": found.notes,
        "level_with_best": found.level,
        "changes": [_standing(standing) for standing in found.standings],
    }


def _standing(found: Standing) -> dict[str, Any]:
    return {
        "group": found.name,
        "seeds": found.seeds,
        "id": _change(found.id),
        "ood_average": _change(found.ood),
    }


def _change(found: Change | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {**attrs.asdict(found), "difference": found.difference}


def _model(summary: Summary, model: ReportedModel) -> dict[str, Any]:
    return {
        "model": model.label,
        "source": model.source,
        "group": model.group,
        "seed": model.seed,
        "alpha": model.alpha,
        "sets": {
            name: attrs.evolve(entry, originals=None, by_class=())
            for name, entry in model.sets.items()
        },
        "ood_average": summary.value(model, AVERAGE),
        "ood_ci95": summary.interval(model, AVERAGE),
        "id_on_classes_of": model.id_on_classes_of,
        "effective_robustness_in_evaluation": model.robustness,
        "effective_robustness": {n: summary.robustness(model, n) for n in summary.lines},
    }


def _group(summary: Summary, group: Group) -> dict[str, Any]:
    return {
        "group": group.name,
        "models": [model.label for model in group.models],
        "sets": {name: summary.spread(group, name) for name in summary.sets},
        "ood_average": summary.spread(group, AVERAGE),
        "ood_ci95": summary.redrawn_interval(group.models, AVERAGE),
    }
