"""Read what `cfft eval` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from cfft.evaluation.files.evaluation import (
    EVALUATION,
    EvaluatedModel,
    EvaluationResults,
    PairedDifferences,
    read_evaluation,
)
from cfft.evaluation.stored import StoredEvaluation
from cfft.report.sources.records import AVERAGE, Difference, Material, Model


def is_evaluation(path: Path) -> bool:
    """Tell whether a directory is one that `cfft eval` wrote."""
    return (path / EVALUATION).is_file()


def read_measured(path: Path) -> Material:
    """Read the models of an evaluation; raises DataError where it is not as cfft writes it."""
    source = StoredEvaluation(path, read_evaluation(path))
    found = source.said
    return Material(
        models=tuple(model_of(source, measured) for measured in found.models),
        classes={str(path): found.classes},
        suites={str(path): found.suite},
        differences=tuple(each for pair in found.differences for each in _differences(pair, path)),
        notes=tuple(_notes(found, path)),
    )


def _notes(found: EvaluationResults, path: Path) -> Iterator[str]:
    if found.label_space == "full":
        yield f"{path}: arg-max among all classes, not among those of each set."
    if found.absent:
        yield f"{path}: not measured, as they were absent: {', '.join(found.absent)}."


def model_of(source: StoredEvaluation, measured: EvaluatedModel, *, is_run: bool = False) -> Model:
    """Return a model as reports show it; `is_run`: whether it was read from its own run."""
    is_of_own_seed = source.said.seed in (None, measured.seed)  # on the sets that its run was
    said = attrs.asdict(measured, recurse=False) | {"source": str(source.path)}
    return Model(
        **said | ({} if is_of_own_seed else {"run_digest": None}),
        files={name: at for name, at in source.predictions(measured).items() if at.is_file()},
        is_run=is_run,
        label_space=source.said.label_space,
    )


def _differences(pair: PairedDifferences, path: Path) -> Iterator[Difference]:
    average = {} if pair.ood_average is None else {AVERAGE: pair.ood_average}
    for name, found in (pair.sets | average).items():
        yield Difference(pair.a, pair.b, name, found.difference, found.ci95, str(path))
