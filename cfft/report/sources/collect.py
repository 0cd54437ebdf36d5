"""Gather the models of a report from run directories, evaluations and imported files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from cfft.errors import ConfigError
from cfft.evaluation.compare.groups import in_groups
from cfft.evaluation.models.finding import matching
from cfft.report.sources.comparable import (
    other_counts,
    other_settings,
    require_alike,
    require_shared_sets,
)
from cfft.report.sources.imports import read_imports, require_known
from cfft.report.sources.records import Difference, Material, ReportedModel
from cfft.report.sources.results import is_evaluation, is_run, read_measured, read_runs
from cfft.report.sources.sweeps import (
    called_as_in_sweeps,
    is_sweep,
    read_frontiers,
    sweep_runs,
)
from cfft.training.sweep.outcome import SWEEP

_BELOW = ("*", "*/*", "*/*/*")
_WANTED = "run, evaluation or sweep directories, or a pattern of them in quotes"


def collect(
    patterns: Sequence[str], imports: Sequence[Path], id_sets: Sequence[str] = ()
) -> Material:
    """Read everything; `patterns` are paths or globs of runs, evaluations and sweeps.

    Raises ConfigError for paths that are none of these and for models that cannot be compared, and
    DataError for files that are not as they should be.
    """
    paths = _expanded(patterns)
    evaluations, sweeps = list(filter(is_evaluation, paths)), list(filter(is_sweep, paths))
    named = sweep_runs(sweeps)
    runs = [path for path in paths if path not in (*evaluations, *sweeps)]
    distinct = {path.resolve(): path for path in (*runs, *named)}  # of two paths the sweep's
    trained = called_as_in_sweeps(read_runs(list(distinct.values())), named)
    others = [*map(read_measured, evaluations), read_imports(imports, id_sets)]
    everything = _joined([trained, *others])
    if not everything.models:
        raise ConfigError(
            "nothing to report: give run, evaluation or sweep directories, or --import FILE"
        )
    require_known(id_sets, everything.models)
    measured = [model for part in others for model in part.models]
    once = _without_doubles(trained.models, measured)
    require_alike(everything, once)
    models = _labelled(once)
    require_shared_sets(models)
    ordered = sorted(models, key=lambda model: not model.is_start)
    return attrs.evolve(
        everything,
        models=tuple(in_groups(ordered)),
        frontiers=tuple(read_frontiers(sweeps)),
        differences=tuple(_relabelled(everything.differences, once, models)),
        notes=(
            *everything.notes,
            *other_counts(models),
            *other_settings(everything, models),
        ),
    )


def _joined(parts: Sequence[Material]) -> Material:
    return Material(
        models=tuple(model for part in parts for model in part.models),
        classes={source: names for part in parts for source, names in part.classes.items()},
        suites={source: suite for part in parts for source, suite in part.suites.items()},
        runs=tuple(run for part in parts for run in part.runs),
        differences=tuple(found for part in parts for found in part.differences),
        notes=tuple(note for part in parts for note in part.notes),
    )


def _expanded(patterns: Sequence[str]) -> list[Path]:
    matched = {pattern: matching(pattern, _WANTED) for pattern in patterns}
    known = {pattern: list(filter(_is_known, paths)) for pattern, paths in matched.items()}
    wrong = [_what_it_is(pattern, matched[pattern]) for pattern in patterns if not known[pattern]]
    if wrong:
        raise ConfigError(*wrong)
    return list({path.resolve(): path for paths in known.values() for path in paths}.values())


def _what_it_is(pattern: str, paths: Sequence[Path]) -> str:
    path = Path(pattern)
    if path.is_file() and _is_known(path.parent):
        return f"{path} is a file: give its directory, {path.parent}"
    if path.is_file():
        return f"{path} is a file: accuracies as JSON lines are read with --import {path}"
    inside = next((b for b in _BELOW if any(_is_known(p) for d in paths for p in d.glob(b))), None)
    remedy = "" if inside is None else f"; to report what is in it, give '{pattern}/{inside}'"
    return (
        f"{pattern} is no run (no config.toml), no evaluation (no evaluation.json) and no finished "
        f"sweep (no {SWEEP}){remedy}"
    )


def _is_known(path: Path) -> bool:
    return is_run(path) or is_evaluation(path) or is_sweep(path)


def _labelled(models: Sequence[ReportedModel]) -> list[ReportedModel]:
    labels = _told_apart([m.label for m in models], [f"{m.label} ({m.source})" for m in models])
    numbered = [f"{label} #{labels[: i + 1].count(label)}" for i, label in enumerate(labels)]
    labels = _told_apart(labels, numbered)
    return [attrs.evolve(m, label=label) for m, label in zip(models, labels, strict=True)]


def _told_apart(names: Sequence[str], longer: Sequence[str]) -> list[str]:
    counts = Counter(names)
    return [more if counts[name] > 1 else name for name, more in zip(names, longer, strict=True)]


def _relabelled(
    differences: Sequence[Difference],
    before: Sequence[ReportedModel],
    after: Sequence[ReportedModel],
) -> Iterator[Difference]:
    """Call the models of differences as the report does; `before`: models as sources call them."""
    called = {(m.source, m.label): own.label for m, own in zip(before, after, strict=True)}
    for found in differences:
        a, b = (called.get((found.source, label), label) for label in (found.a, found.b))
        yield attrs.evolve(found, a=a, b=b)


def _without_doubles(
    trained: Sequence[ReportedModel], measured: Sequence[ReportedModel]
) -> list[ReportedModel]:
    """Return all models, of runs that were measured again on as many images the later ones.

    These say more. A measurement of fewer images stands beside the run's own, and so does one
    that does not say which run it is of, as in older evaluations. Those that take a run's place
    have the name of its configuration in this report, and so have the weight ensembles of the same
    evaluation. The model before a run is known again by its accuracies.
    """
    doubles = [(run, own) for run in trained for own in measured if _is_same(run, own)]
    names = {(own.source, own.group): run.group for run, own in doubles}
    before = {(own.source, own.label): run.before for run, own in doubles}
    again = [run for run, _ in doubles]
    once = [run for run in trained if run not in again]
    known = (
        attrs.evolve(
            own,
            group=names.get((own.source, own.group), own.group),
            before=before.get((own.source, own.label), own.before),
        )
        for own in measured
    )
    return [*once, *known]


def _is_same(run: ReportedModel, own: ReportedModel) -> bool:
    if own.alpha is not None or run.is_start != own.is_start:
        return False
    pairs = [(found, own.sets.get(name)) for name, found in run.sets.items()]
    if not all(again is not None and again.n == found.n for found, again in pairs):
        return False
    if run.is_start:  # which model it was, nobody wrote down
        return all(again is not None and again.top1 == found.top1 for found, again in pairs)
    return run.run_digest is not None and _run(run) == _run(own)


def _run(model: ReportedModel) -> tuple[str | None, str | None, int | None]:
    return model.run_digest, model.configuration, model.seed
