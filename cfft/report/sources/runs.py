"""Read run directories."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from cfft.config.comparison import configuration_digest, settings
from cfft.errors import ConfigError
from cfft.evaluation.compare.groups import group_names
from cfft.evaluation.files.files import structured
from cfft.evaluation.files.json_lines import read_lines
from cfft.evaluation.models.finding import Found, labels
from cfft.report.sources.records import Accuracy, Material, Model, Run
from cfft.training.run_directory import RunDirectory


@attrs.frozen
class _Scores:
    sets: dict[str, Accuracy]


@attrs.frozen
class _Results:
    config: dict[str, Any]
    sets: dict[str, Accuracy]
    before: _Scores
    classes: tuple[str, ...] = ()


def is_run(path: Path) -> bool:
    """Tell whether a directory is that of a run, finished or not."""
    return RunDirectory(path).config.is_file()


def read_runs(paths: Sequence[Path]) -> Material:
    """Read finished runs, each as the model after it and the one before it.

    Starting models that were measured alike are one. Raises ConfigError for an unfinished run
    and DataError for files that cfft did not write.
    """
    runs = [RunDirectory(path) for path in paths]
    results = [_results(run) for run in runs]
    groups = group_names([found.config for found in results])
    names = labels([Found(str(path), path) for path in paths])
    read = list(zip(runs, names, results, groups, strict=True))
    return Material(
        models=(*_before(runs, names, results), *(_after(*parts) for parts in read)),
        classes={str(run.root): found.classes for run, found in zip(runs, results, strict=True)},
        suites={
            str(run.root): found.config.get("suite", {})
            for run, found in zip(runs, results, strict=True)
        },
        runs=tuple(_run(*parts) for parts in read),
    )


def _results(run: RunDirectory) -> _Results:
    found = run.read_results()
    if found is None:
        raise ConfigError(
            f"{run.root} is an unfinished run (no results.json): leave it out, or finish it with "
            f"cfft run --resume --out {shlex.quote(str(run.root))}"
        )
    return structured(found, _Results, str(run.results))


def _after(run: RunDirectory, name: str, results: _Results, group: str) -> Model:
    return Model(
        label=name,
        source=str(run.root),
        group=group,
        sets=results.sets,
        seed=results.config.get("seed"),
        predictions=_predictions(run, results.sets, before=False),
        is_run=True,
        configuration=configuration_digest(results.config),
        run_digest=run.read_digest(),
        label_space="subset",
    )


def _before(
    runs: Sequence[RunDirectory], names: Sequence[str], results: Sequence[_Results]
) -> Iterator[Model]:
    """Go through the starting models, those that were measured alike once.

    Runs with the same model and suite have one group of starting models, over their seeds.
    """
    starts = [_start(found.config) for found in results]
    kinds = [start for number, start in enumerate(starts) if start not in starts[:number]]
    seen: list[dict[str, Accuracy]] = []
    for run, name, found, start in zip(runs, names, results, starts, strict=True):
        if found.before.sets not in seen:
            seen.append(found.before.sets)
            group = f"before, {start['model.name']}" + _number(kinds.index(start), kinds)
            yield Model(
                label=f"{name}, before",
                source=str(run.root),
                group=group,
                sets=found.before.sets,
                seed=found.config.get("seed"),
                predictions=_predictions(run, found.before.sets, before=True),
                is_start=True,
                label_space="subset",
            )


def _number(index: int, kinds: Sequence[Mapping[str, Any]]) -> str:
    names = [kind["model.name"] for kind in kinds]
    return f" #{index + 1}" if names.count(names[index]) > 1 else ""


def _start(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that make a starting model and what it is measured on."""
    parts = ("model.", "backbone.", "suite.")
    start = {key: value for key, value in settings(config).items() if key.startswith(parts)}
    return {"model.name": "the model", **start}


def _predictions(
    run: RunDirectory, sets: Mapping[str, Accuracy], *, before: bool
) -> dict[str, Path]:
    files = {name: run.predictions(name, before=before) for name in sets}
    return {name: path for name, path in files.items() if path.is_file()}


def _run(run: RunDirectory, name: str, results: _Results, group: str) -> Run:
    lines = read_lines(run.metrics) if run.metrics.is_file() else ()
    return Run(
        label=name,
        group=group,
        config=results.config,
        metrics=tuple(line for _, line in lines),
        sheet=run.sheet if run.sheet.is_file() else None,
    )
