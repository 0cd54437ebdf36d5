"""Predictions on disk, and what the evaluation or the run beside them says of their models."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from cfft.config.comparison import configuration_digest, same_images
from cfft.data.consistency import name_problem
from cfft.errors import ConfigError, DataError
from cfft.evaluation.compare.groups import group_names
from cfft.evaluation.compare.measured import Identity, ModelKind, Role
from cfft.evaluation.files.files import EVALUATION, read_evaluation, structured
from cfft.evaluation.models.finding import Found, labels, matching
from cfft.model.description import read_description
from cfft.scoring.scores import LabelSpace
from cfft.training.run_directory import RunDirectory

_WANTED = "an evaluation, a finished run, or a pattern of them in quotes"


@attrs.frozen
class _Set:
    role: Role


@attrs.frozen
class _Model:
    model: str
    source: str
    kind: ModelKind
    group: str
    sets: dict[str, _Set]
    seed: int | None
    alpha: float | None
    predictions: str | None
    head: str | None = None  # older evaluations do not say, nor the next three
    configuration: str | None = None
    facts: dict[str, str] | None = None
    run_digest: str | None = None


@attrs.frozen
class Computing:
    """Say what a source was computed in; None where it does not say."""

    precision: str | None = None
    device: str | None = None
    processes: int | None = None


@attrs.frozen
class _Evaluation:
    models: list[_Model]
    suite: dict[str, Any]
    seed: int | None
    classes: tuple[str, ...]
    label_space: LabelSpace
    absent: dict[str, str]
    skipped: list[dict[str, str]] = attrs.field(factory=list)


@attrs.frozen
class _Results:
    config: dict[str, Any]
    sets: dict[str, _Set]
    classes: tuple[str, ...]
    skipped: list[dict[str, str]]
    precision: str | None = None
    device: str | None = None
    processes: int | None = None


@attrs.frozen(eq=False)
class Stored:
    """Hold a model whose predictions are on disk: file and role by set, the ID set first."""

    identity: Identity
    sets: Mapping[str, tuple[Path, Role]]


@attrs.frozen(eq=False)
class Source:
    """Hold an evaluation or a run: its models, and what evaluation.json says of their images."""

    path: Path
    models: Sequence[Stored]
    suite: Mapping[str, Any]
    seed: int | None
    classes: Sequence[str]
    label_space: LabelSpace = "subset"
    absent: Mapping[str, str] = attrs.field(factory=dict)
    skipped: Sequence[Mapping[str, str]] = ()
    computing: Computing = Computing()


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
    content = read_evaluation(file)
    found = structured(content, _Evaluation, str(file))
    for model in found.models:
        _check_places(file, model.sets, model.predictions)
    return Source(
        path,
        [
            _stored(model, file.parent / model.predictions)
            for model in found.models
            if model.predictions is not None
        ],
        found.suite,
        found.seed,
        found.classes,
        found.label_space,
        found.absent,
        found.skipped,
        structured(content, Computing, str(file)),
    )


def _check_places(file: Path, sets: Collection[str], folder: str | None = None) -> None:
    """Raise DataError where predictions would be read or written outside their directories."""
    for name in sets:
        problem = name_problem(name)
        if problem is not None:
            raise DataError(f"{file}: a set is called {name!r}: {problem}")
    if folder is not None and (Path(folder).is_absolute() or ".." in Path(folder).parts):
        raise DataError(f"{file}: predictions in {folder!r}, allowed: a folder beside it")


def _stored(model: _Model, folder: Path) -> Stored:
    identity = Identity(
        model.model,
        model.source,
        model.kind,
        model.group,
        model.seed,
        model.alpha,
        model.head,
        model.configuration,
        model.facts,
        model.run_digest,
    )
    sets = {name: (folder / f"{name}.npz", each.role) for name, each in model.sets.items()}
    return Stored(identity, sets)


def _read_runs(paths: Sequence[Path]) -> list[Source]:
    runs = [RunDirectory(path) for path in paths]
    results = [structured(run.read_results(), _Results, str(run.results)) for run in runs]
    for run, each in zip(runs, results, strict=True):
        _check_places(run.results, each.sets)
    names = labels([Found(str(path), path) for path in paths])
    groups = group_names([each.config for each in results])
    return [_run(*facts) for facts in zip(runs, results, names, groups, strict=True)]


def _run(run: RunDirectory, results: _Results, label: str, group: str) -> Source:
    description = read_description(run.best)
    head, facts = (description.head, description.facts) if description else (None, None)
    seed = results.config.get("seed")
    same = configuration_digest(results.config)
    identity = Identity(
        label,
        str(run.root),
        "run",
        group,
        seed,
        head=head,
        configuration=same,
        facts=facts,
        run_digest=run.read_digest(),
    )
    sets = {name: (run.predictions(name), each.role) for name, each in results.sets.items()}
    return Source(
        run.root,
        [Stored(identity, sets)],
        results.config.get("suite", {}),
        seed,
        results.classes,
        skipped=[each for each in results.skipped if each["set"] in sets],
        computing=Computing(results.precision, results.device, results.processes),
    )


def _check_alike(one: Source, other: Source) -> None:
    """Raise DataError for other classes or images; where a folder lies makes no difference."""
    if list(one.classes) != list(other.classes):
        raise DataError(
            f"{one.path} and {other.path} have different classes: recompute them one at a time"
        )
    images = same_images(one.suite, other.suite, wherever=True)
    if not images:
        raise DataError(
            f"{one.path} and {other.path} were measured on different images "
            f"({images}): recompute them one at a time"
        )
