"""Read run directories."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cfft.config.comparison import settings
from cfft.errors import ConfigError
from cfft.evaluation.files.evaluation import EvaluatedModel
from cfft.evaluation.files.json_lines import read_lines
from cfft.evaluation.stored import StoredEvaluation, run_sources
from cfft.report.sources.evaluations import model_of
from cfft.report.sources.records import Material, Model, Run
from cfft.scoring.results import SetResult
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
        models=(*_before(after, results), *(model_of(*each, is_run=True) for each in after)),
        classes={str(path): found.classes for path, found in results.items()},
        suites={str(path): found.suite for path, found in results.items()},
        runs=tuple(_run(model, results[source.path]) for source, model in after),
    )


def _results(run: RunDirectory) -> RunResults:
    found = run.read_results()
    if found is None:
        raise ConfigError(
            f"{run.root} is an unfinished run (no results.json): leave it out, or finish it with "
            f"cfft run --resume --out {shlex.quote(str(run.root))}"
        )
    return found


def _before(
    after: Sequence[tuple[StoredEvaluation, EvaluatedModel]], results: Mapping[Path, RunResults]
) -> Iterator[Model]:
    """Go through the starting models, those that were measured alike once.

    Runs with the same model and suite have one group of starting models, over their seeds.
    """
    starts = [_start(found.config) for found in results.values()]
    kinds = [start for number, start in enumerate(starts) if start not in starts[:number]]
    seen: list[dict[str, SetResult]] = []
    for (source, model), start in zip(after, starts, strict=True):
        sets = results[source.path].before.sets
        if sets not in seen:
            seen.append(sets)
            measured = EvaluatedModel(
                label=f"{model.label}, before",
                source=model.source,
                kind="pretrained",
                group=f"before, {start['model.name']}" + _number(kinds.index(start), kinds),
                seed=model.seed,
                predictions=f"{model.predictions}/before",
                sets=sets,
            )
            yield model_of(source, measured)


def _number(index: int, kinds: Sequence[Mapping[str, Any]]) -> str:
    names = [kind["model.name"] for kind in kinds]
    return f" #{index + 1}" if names.count(names[index]) > 1 else ""


def _start(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that make a starting model and what it is measured on."""
    parts = ("model.", "backbone.", "suite.")
    start = {key: value for key, value in settings(config).items() if key.startswith(parts)}
    return {"model.name": "the model", **start}


def _run(model: EvaluatedModel, results: RunResults) -> Run:
    directory = RunDirectory(Path(model.source))
    lines = read_lines(directory.metrics) if directory.metrics.is_file() else ()
    return Run(
        label=model.label,
        group=model.group,
        config=results.config,
        metrics=tuple(line for _, line in lines),
        sheet=directory.sheet if directory.sheet.is_file() else None,
    )
