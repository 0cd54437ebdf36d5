"""Recompute an evaluation from stored predictions, without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs

from cfft.config.settings import Evaluation
from cfft.errors import ConfigError, shortened_list
from cfft.evaluation.compare.baseline import baseline_line, chosen_baseline
from cfft.evaluation.compare.comparison import compare
from cfft.evaluation.compare.groups import in_groups
from cfft.evaluation.compare.measured import MeasuredModel, measured_set
from cfft.evaluation.files.evaluation import EvaluatedModel, EvaluationResults
from cfft.evaluation.files.files import EvaluationFiles, new_evaluation
from cfft.evaluation.stored import StoredEvaluation, read_sources
from cfft.runtime.progress import Reporter, Silent
from cfft.scoring.predictions import Predictions
from cfft.scoring.scores import LabelSpace


def recompute(
    asked: Sequence[str],
    settings: Evaluation,
    out: Path | None = None,
    reporter: Reporter | None = None,
) -> EvaluationResults:
    """Return the content of evaluation.json, from stored predictions of evaluations and runs.

    `asked`: directories of evaluations and of finished runs, or patterns of them. With `out`
    that and copies of the predictions are written there. `reporter` hears of sources that were
    computed in different precisions. Raises ConfigError, DataError.
    """
    sources = read_sources(asked)
    _warn_of_other_precisions(sources, reporter or Silent())
    _warn_of_other_counts(sources, reporter or Silent())
    space = settings.label_space or _common_space(sources)
    known = len(sources[0].said.classes)
    stored = _stored(sources)
    identities = [model for model, _ in stored]
    baseline = chosen_baseline(settings.baseline, identities)
    line = baseline_line(settings.baseline_line, identities)
    line.check({name: each.role for model in identities for name, each in model.sets.items()})
    with nullcontext() if out is None else new_evaluation(out) as files:
        models = [_measured(*each, known, space, files) for each in stored]
        compared = compare(models, baseline, line.fit(models))
        results = attrs.evolve(
            _results(sources, compared), label_space=space, baseline_line=settings.baseline_line
        )
        if files is not None:
            files.write(results)
    return results


def measured_runs(runs: Sequence[str]) -> dict[str, MeasuredModel]:
    """Return the models of finished runs by directory, from their stored predictions.

    Raises ConfigError, DataError as `recompute` does.
    """
    sources = read_sources(runs)
    known, space = len(sources[0].said.classes), _common_space(sources)
    models = [_measured(*each, known, space, None) for each in _stored(sources)]
    return {model.identity.source: model for model in models}


def _measured(
    model: EvaluatedModel,
    paths: Mapping[str, Path],
    known: int,
    space: LabelSpace,
    files: EvaluationFiles | None,
) -> MeasuredModel:
    found = {name: Predictions.load(path, known) for name, path in paths.items()}
    roles = {name: each.role for name, each in model.sets.items()}
    shifts = {name: each.classes for name, each in found.items() if roles[name] == "ood"}
    if files is not None:
        for name, predictions in found.items():
            files.keep(model.label, name, predictions)
    sets = {
        name: measured_set(name, each, roles[name], space, shifts if roles[name] == "id" else {})
        for name, each in found.items()
    }
    return MeasuredModel(model.identity, sets, files.folder(model.label) if files else None)


def _common_space(sources: Sequence[StoredEvaluation]) -> LabelSpace:
    space, *others = {source.said.label_space for source in sources}
    if others:
        raise ConfigError(
            "the evaluations use different label spaces: give --label-space subset or "
            "--label-space full"
        )
    return space


def _stored(sources: Sequence[StoredEvaluation]) -> list[tuple[EvaluatedModel, dict[str, Path]]]:
    """Return all models with their predictions; labels that several share begin with the place."""
    found = [(s, m) for s in sources for m in s.said.models if m.predictions is not None]
    counts = Counter(model.label for _, model in found)
    placed = [
        attrs.evolve(
            model,
            label=f"{source.path}: {model.label}" if counts[model.label] > 1 else model.label,
            source=str(source.path),
        )
        for source, model in found
    ]
    return [
        (attrs.evolve(own, source=model.source), source.predictions(model))
        for own, (source, model) in zip(in_groups(placed), found, strict=True)
    ]


def _results(sources: Sequence[StoredEvaluation], compared: EvaluationResults) -> EvaluationResults:
    """Return what all sources share; None for a seed, precision or device that differs."""
    first, *others = (source.said for source in sources)
    shared: dict[str, Any] = {
        name: value if all(getattr(other, name) == value for other in others) else None
        for name in ("seed", "precision", "device", "processes")
        for value in [getattr(first, name)]
    }
    return attrs.evolve(
        compared,
        cfft=version("cfft"),
        suite=first.suite,
        classes=first.classes,
        absent=first.absent,
        passed_over={k: v for source in sources for k, v in source.said.passed_over.items()},
        skipped=tuple(each for source in sources for each in source.said.skipped),
        **shared,
    )


def _warn_of_other_precisions(sources: Sequence[StoredEvaluation], reporter: Reporter) -> None:
    first = sources[0]
    for other in sources[1:]:
        if other.said.precision != first.said.precision:
            reporter.warned(
                f"{first.path} was computed in {_precision(first)} and {other.path} in "
                f"{_precision(other)}: some of their differences may be rounding"
            )


def _warn_of_other_counts(sources: Sequence[StoredEvaluation], reporter: Reporter) -> None:
    """Warn of sets that sources measured on different numbers of images, as by --limit-eval."""
    first = {name: each.n for model in sources[0].said.models for name, each in model.sets.items()}
    for other in sources[1:]:
        own = {name: each.n for model in other.said.models for name, each in model.sets.items()}
        changed = [
            f"{name} {first[name]} and {n}" for name, n in own.items() if first.get(name, n) != n
        ]
        if changed:
            reporter.warned(
                f"{sources[0].path} and {other.path} were measured on different images "
                f"({shortened_list(changed)}): their accuracies cannot be compared"
            )


def _precision(source: StoredEvaluation) -> str:
    return source.said.precision or "an unknown precision"
