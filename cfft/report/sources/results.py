"""Runs and evaluations on disk, as the models of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from cfft.config.comparison import settings
from cfft.errors import ConfigError
from cfft.evaluation.files.evaluation import (
    EVALUATION,
    EvaluatedModel,
    EvaluationResults,
    PairedDifferences,
    read_evaluation,
)
from cfft.evaluation.stored import StoredEvaluation, run_sources
from cfft.model.checkpoint import is_checkpoint, load_state
from cfft.report.sources.records import AVERAGE, Difference, Material, ReportedModel, Run
from cfft.runtime.outside import shell_word
from cfft.scoring.results import SetResult
from cfft.training.metrics import read_metrics, written_metrics
from cfft.training.results import RunResults
from cfft.training.run_directory import RunDirectory


def is_run(path: Path) -> bool:
    """Tell whether a directory is that of a run, finished or not."""
    return RunDirectory(path).config.is_file()


def read_runs(paths: Sequence[Path]) -> Material:
    """Read finished runs, each as the model after it and the one before it.

    Starting models that were measured alike are one. Raises ConfigError for an unfinished run
    and DataError for files that cfft did not write.
    """
    results = {path: _results(RunDirectory(path)) for path in paths}
    sources = run_sources(results)
    after = [(source, model) for source in sources.values() for model in source.said.models]
    return Material(
        models=(*_before(after, results), *(_after(*each, results) for each in after)),
        classes={str(path): found.classes for path, found in results.items()},
        suites={str(path): found.suite for path, found in results.items()},
        runs=tuple(_run(model, results[source.path]) for source, model in after),
    )


def _results(run: RunDirectory) -> RunResults:
    found = run.read_results()
    if found is None:
        raise ConfigError(
            f"{run.root} is an unfinished run (no results.json): leave it out, or finish it with "
            f"cfft run --resume --out {shell_word(str(run.root))}"
        )
    return found


def _before(
    after: Sequence[tuple[StoredEvaluation, EvaluatedModel]], results: Mapping[Path, RunResults]
) -> Iterator[ReportedModel]:
    """Go through the starting models, those that were measured alike once.

    Runs with the same model and suite have one group of starting models, over their seeds.
    """
    starts = [_start(found.config) for found in results.values()]
    kinds = [start for number, start in enumerate(starts) if start not in starts[:number]]
    names = [kind["model.name"] for kind in kinds]
    seen: list[dict[str, SetResult]] = []
    for (source, model), start in zip(after, starts, strict=True):
        sets = results[source.path].before.sets
        if sets and sets not in seen:
            seen.append(sets)
            name = start["model.name"]
            number = f" #{kinds.index(start) + 1}" if names.count(name) > 1 else ""
            measured = EvaluatedModel(
                label=f"{model.label}, before",
                source=model.source,
                kind="pretrained",
                group=f"before, {name}{number}",
                seed=model.seed,
                predictions=f"{model.predictions}/before",
                sets=sets,
            )
            yield _model(source, measured)


def _after(
    source: StoredEvaluation, model: EvaluatedModel, results: Mapping[Path, RunResults]
) -> ReportedModel:
    before = results[source.path].before.sets
    top1 = {name: found.top1 for name, found in before.items()}
    return attrs.evolve(_model(source, model, is_run=True), before=top1)


def _start(config: Mapping[str, Any]) -> dict[str, Any]:
    parts = ("model.", "backbone.", "suite.")
    start = {key: value for key, value in settings(config).items() if key.startswith(parts)}
    return {"model.name": "the model", **start}


def _run(model: EvaluatedModel, results: RunResults) -> Run:
    directory = RunDirectory(Path(model.source))
    return Run(
        label=model.label,
        group=model.group,
        config=results.config,
        metrics=_metrics(directory),
        sheet=directory.sheet if directory.sheet.is_file() else None,
    )


def _metrics(run: RunDirectory) -> tuple[Mapping[str, Any], ...]:
    if not run.metrics.exists():
        return ()
    kept = load_state(run.last) if is_checkpoint(run.last) else {}
    return read_metrics(run.metrics, written_metrics(kept, run.last))


def is_evaluation(path: Path) -> bool:
    """Tell whether a directory is one that `cfft eval` wrote."""
    return (path / EVALUATION).is_file()


def read_measured(path: Path) -> Material:
    """Read the models of an evaluation; raises DataError where it is not as cfft writes it."""
    source = StoredEvaluation(path, read_evaluation(path))
    found = source.said
    return Material(
        models=tuple(_model(source, measured) for measured in found.models),
        classes={str(path): found.classes},
        suites={str(path): found.suite},
        differences=tuple(each for pair in found.differences for each in _differences(pair, path)),
        notes=tuple(_notes(found, path)),
    )


def _notes(found: EvaluationResults, path: Path) -> Iterator[str]:
    if found.label_space == "full":
        yield f"{path}: arg-max over all classes, not only those of each set."
    if found.absent:
        yield f"{path}: not measured because absent: {', '.join(found.absent)}."


def _model(
    source: StoredEvaluation, measured: EvaluatedModel, *, is_run: bool = False
) -> ReportedModel:
    """Return a model as reports show it; `is_run`: whether it was read from its own run."""
    is_of_own_seed = source.said.seed in (None, measured.seed)  # on the sets that its run was
    said = attrs.asdict(measured, recurse=False) | {"source": str(source.path)}
    return ReportedModel(
        **said | ({} if is_of_own_seed else {"run_digest": None}),
        files={name: at for name, at in source.predictions(measured).items() if at.is_file()},
        is_run=is_run,
        label_space=source.said.label_space,
    )


def _differences(pair: PairedDifferences, path: Path) -> Iterator[Difference]:
    average = {} if pair.ood_average is None else {AVERAGE: pair.ood_average}
    for name, found in (pair.sets | average).items():
        yield Difference(pair.a, pair.b, name, found.difference, found.ci95, str(path))
