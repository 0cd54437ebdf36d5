"""Predictions on disk, and what the evaluation or the run beside them says of their models."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from cfft.config.comparison import differences
from cfft.data.consistency import name_problem
from cfft.errors import ConfigError, DataError
from cfft.evaluation.compare.groups import configuration_digest, group_names
from cfft.evaluation.compare.measured import Identity
from cfft.evaluation.files.evaluation import (
    EVALUATION,
    EvaluatedModel,
    EvaluationResults,
    read_evaluation,
)
from cfft.evaluation.models.finding import Found, labels, matching
from cfft.model.description import read_description
from cfft.scoring.results import Role
from cfft.training.results import RunResults
from cfft.training.run_directory import RunDirectory

_WANTED = "an evaluation, a finished run, or a pattern of them in quotes"


@attrs.frozen(eq=False)
class Stored:
    """Hold a model whose predictions are on disk: file and role by set, the ID set first."""

    identity: Identity
    sets: Mapping[str, tuple[Path, Role]]


@attrs.frozen(eq=False)
class Source:
    """Hold an evaluation or a run: its models, and what is said of their images and computing.

    `said`: of a run what evaluation.json would say, without models.
    """

    path: Path
    models: Sequence[Stored]
    said: EvaluationResults


def read_sources(asked: Sequence[str]) -> list[Source]:
    """Read evaluations and finished runs, each once; `asked`: paths and patterns.

    Raises ConfigError for anything else, DataError for damaged files and for other classes.
    """
    found = [_directory(path) for text in asked for path in matching(text, _WANTED)]
    paths = list({path.resolve(): path for path in found}.values())
    runs = [path for path in paths if RunDirectory(path).results.is_file()]
    read = {source.path: source for source in _read_runs(runs)}
    sources = [read.get(path) or _read_evaluation(path) for path in paths]
    for other in sources[1:]:
        _check_alike(sources[0], other)
    return sources


def _directory(path: Path) -> Path:
    """Return the directory of an evaluation.json; any other path is its own."""
    return path.parent if path.name == EVALUATION else path


def _read_evaluation(path: Path) -> Source:
    file = path / EVALUATION if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(f"{path} holds neither {EVALUATION} nor results.json: give {_WANTED}")
    found = read_evaluation(file)
    for model in found.models:
        _check_places(file, model.sets, model.predictions)
    models = [
        _stored(model, file.parent / model.predictions)
        for model in found.models
        if model.predictions is not None
    ]
    return Source(path, models, found)


def _stored(model: EvaluatedModel, folder: Path) -> Stored:
    sets = {name: (folder / f"{name}.npz", each.role) for name, each in model.sets.items()}
    return Stored(model.identity, sets)


def _check_places(file: Path, sets: Collection[str], folder: str | None = None) -> None:
    """Raise DataError where predictions would be read or written outside their directories."""
    for name in sets:
        problem = name_problem(name)
        if problem is not None:
            raise DataError(f"{file}: a set is called {name!r}: {problem}")
    if folder is not None and (Path(folder).is_absolute() or ".." in Path(folder).parts):
        raise DataError(f"{file}: predictions in {folder!r}, allowed: a folder beside it")


def _read_runs(paths: Sequence[Path]) -> list[Source]:
    runs = [RunDirectory(path) for path in paths]
    results = [found for run in runs if (found := run.read_results()) is not None]
    for run, each in zip(runs, results, strict=True):
        _check_places(run.results, each.sets)
    names = labels([Found(str(path), path) for path in paths])
    groups = group_names([each.config for each in results])
    return [_run(*facts) for facts in zip(runs, results, names, groups, strict=True)]


def _run(run: RunDirectory, results: RunResults, label: str, group: str) -> Source:
    description = read_description(run.best)
    head, facts = (description.head, description.facts) if description else (None, None)
    identity = Identity(
        label,
        str(run.root),
        "run",
        group,
        results.seed,
        head=head,
        configuration=configuration_digest(results.config),
        facts=facts,
        run_digest=run.read_digest(),
    )
    said = EvaluationResults(
        models=(),
        suite=results.suite,
        seed=results.seed,
        classes=results.classes,
        skipped=tuple(each for each in results.skipped if each["set"] in results.sets),
        precision=results.precision,
        device=results.device,
        processes=results.processes,
    )
    sets = {name: (run.predictions(name), each.role) for name, each in results.sets.items()}
    return Source(run.root, [Stored(identity, sets)], said)


def _check_alike(one: Source, other: Source) -> None:
    """Raise DataError for other classes or images; where a folder lies makes no difference."""
    if one.said.classes != other.said.classes:
        raise DataError(
            f"{one.path} and {other.path} have different classes: recompute them one at a time"
        )
    changed = suite_differences(one.said.suite, other.said.suite)
    if changed:
        raise DataError(
            f"{one.path} and {other.path} were measured on different images "
            f"({'; '.join(changed)}): recompute them one at a time"
        )


def suite_differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Name the settings in which suites differ.

    Where a folder lies makes no difference, nor whether one is named. Settings that one of them
    does not have, as those of older versions, are not compared.
    """
    both = [{key: suite[key] for key in one if key in other} for suite in (one, other)]
    return list(differences(_unplaced(both[0]), _unplaced(both[1]), "suite"))


def _unplaced(value: Any) -> Any:
    """Return settings with None for every absolute path and for none, also in lists and tables."""
    if isinstance(value, Mapping):
        return {key: _unplaced(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_unplaced(inner) for inner in value]
    is_place = isinstance(value, str) and (value == "none" or Path(value).is_absolute())
    return None if is_place else value
