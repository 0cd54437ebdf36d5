"""Predictions on disk, with the evaluation or the run beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import attrs

from cfft.config.comparison import configuration_digest, same_images
from cfft.data.consistency import name_problem
from cfft.data.folders import composed
from cfft.errors import ConfigError, DataError
from cfft.evaluation.compare.groups import group_names
from cfft.evaluation.files.evaluation import (
    EVALUATION,
    EvaluatedModel,
    EvaluationResults,
    read_evaluation,
)
from cfft.evaluation.models.finding import ModelRef, labels, matching
from cfft.model.description import read_description
from cfft.training.results import RunResults
from cfft.training.run_directory import PREDICTIONS, RunDirectory

_WANTED = "an evaluation, a finished run, or a pattern of them in quotes"


@attrs.frozen(eq=False)
class StoredEvaluation:
    """Hold an evaluation that is on disk, or for a run what its evaluation would be."""

    path: Path
    said: EvaluationResults

    def predictions(self, model: EvaluatedModel) -> dict[str, Path]:
        """Return the predictions of one of its models by set, none where they were not kept."""
        if model.predictions is None:
            return {}
        folder = (self.path if self.path.is_dir() else self.path.parent) / model.predictions
        return {name: folder / f"{name}.npz" for name in model.sets}


def read_sources(asked: Sequence[str]) -> list[StoredEvaluation]:
    """Read evaluations and finished runs, each once; `asked`: paths and patterns.

    Raises ConfigError for anything else, DataError for damaged files and for other classes.
    """
    named = [path for text in asked for path in matching(text, _WANTED)]
    found = [path.parent if path.name == EVALUATION else path for path in named]
    paths = list({path.resolve(): path for path in found}.values())
    read = {path: RunDirectory(path).read_results() for path in paths}
    runs = run_sources({path: found for path, found in read.items() if found is not None})
    sources = [runs.get(path) or _read_evaluation(path) for path in paths]
    for other in sources[1:]:
        _check_alike(sources[0], other)
    return sources


def _read_evaluation(path: Path) -> StoredEvaluation:
    file = path / EVALUATION if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(f"{path} holds neither {EVALUATION} nor results.json: give {_WANTED}")
    found = read_evaluation(file)
    for model in found.models:
        _check_places(file, model.sets, model.predictions)
    return StoredEvaluation(path, found)


def _check_places(file: Path, sets: Collection[str], folder: str | None = None) -> None:
    """Raise DataError where predictions would be read or written outside their directories."""
    for name in sets:
        problem = name_problem(name)
        if problem is not None:
            raise DataError(f"{file}: a set is called {name!r}: {problem}")
    if folder is not None and (Path(folder).is_absolute() or ".." in Path(folder).parts):
        raise DataError(f"{file}: predictions in {folder!r}, allowed: a folder beside it")


def run_sources(runs: Mapping[Path, RunResults]) -> dict[Path, StoredEvaluation]:
    """Return the fine-tuned models of runs, by directory, as if they had been evaluated."""
    names = labels([ModelRef(str(path), path) for path in runs])
    groups = group_names([results.config for results in runs.values()])
    facts = zip(runs, runs.values(), names, groups, strict=True)
    return {each[0]: StoredEvaluation(each[0], _of_run(*each)) for each in facts}


def _of_run(root: Path, results: RunResults, label: str, group: str) -> EvaluationResults:
    run = RunDirectory(root)
    _check_places(run.results, results.sets)
    description = read_description(run.best)
    head, facts = (description.head, description.facts) if description else (None, None)
    model = EvaluatedModel(
        label=label,
        source=str(root),
        kind="run",
        group=group,
        seed=results.seed,
        head=head,
        configuration=configuration_digest(results.config),
        facts=facts,
        run_digest=run.read_digest(),
        predictions=PREDICTIONS,
        sets=results.sets,
    )
    return EvaluationResults(
        models=(model,),
        suite=results.suite,
        seed=results.seed,
        classes=results.classes,
        skipped=tuple(each for each in results.skipped if each["set"] in results.sets),
        precision=results.precision,
        device=results.device,
        processes=results.processes,
    )


def _check_alike(one: StoredEvaluation, other: StoredEvaluation) -> None:
    """Raise DataError for other classes or images; where a folder lies makes no difference."""
    if [*map(composed, one.said.classes)] != [*map(composed, other.said.classes)]:
        raise DataError(
            f"{one.path} and {other.path} have different classes: recompute them one at a time"
        )
    images = same_images(one.said.suite, other.said.suite, wherever=True)
    if not images:
        raise DataError(
            f"{one.path} and {other.path} were measured on different images "
            f"({images}): recompute them one at a time"
        )
