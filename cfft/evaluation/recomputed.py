"""Every table of an evaluation again, from stored predictions and without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs

from cfft.config.settings import Evaluation
from cfft.errors import ConfigError
from cfft.evaluation.compare.baseline import baseline_line, chosen_baseline
from cfft.evaluation.compare.comparison import Comparison, compare
from cfft.evaluation.compare.groups import groups_without_doubles
from cfft.evaluation.compare.measured import MeasuredModel, measure
from cfft.evaluation.files.evaluation import EvaluationResults
from cfft.evaluation.files.files import EvaluationFiles, new_evaluation
from cfft.evaluation.stored import Source, Stored, read_sources
from cfft.runtime.progress import Reporter, Silent
from cfft.scoring.predictions import Predictions
from cfft.scoring.scores import LabelSpace


def recompute(
    asked: Sequence[str],
    settings: Evaluation,
    out: Path | None = None,
    reporter: Reporter | None = None,
) -> EvaluationResults:
    """Return what evaluation.json would hold, from what evaluations and runs have stored.

    `asked`: directories of evaluations and of finished runs, or patterns of them. With `out`
    that and copies of the predictions are written there. `reporter` hears of sources that were
    computed in different precisions. Raises ConfigError, DataError.
    """
    sources = read_sources(asked)
    _warn_of_other_precisions(sources, reporter or Silent())
    space = settings.label_space or _common_space(sources)
    known = len(sources[0].said.classes)
    stored = _with_own_groups(_with_own_labels(sources))
    identities = [model.identity for model in stored]
    baseline = chosen_baseline(settings.baseline, identities)
    line = baseline_line(settings.baseline_line, identities)
    line.check({name: role for each in stored for name, (_, role) in each.sets.items()})
    with _files(out) as files:
        models = [_measured(model, known, space, files) for model in stored]
        compared = compare(models, baseline, line.fit(models))
        results = attrs.evolve(
            _results(sources, compared), label_space=space, baseline_line=settings.baseline_line
        )
        if files is not None:
            files.write(results)
    return results


def _files(out: Path | None) -> AbstractContextManager[EvaluationFiles | None]:
    return nullcontext() if out is None else new_evaluation(out)


def _measured(
    model: Stored, known: int, space: LabelSpace, files: EvaluationFiles | None
) -> MeasuredModel:
    label = model.identity.label
    found = {
        name: (Predictions.load(path, known), role) for name, (path, role) in model.sets.items()
    }
    shifts = {name: each.classes for name, (each, role) in found.items() if role == "ood"}
    if files is not None:
        for name, (predictions, _) in found.items():
            files.keep(label, name, predictions)
    sets = {
        name: measure(name, predictions, role, space, shifts if role == "id" else {})
        for name, (predictions, role) in found.items()
    }
    return MeasuredModel(model.identity, sets, files.folder(label) if files else None)


def _common_space(sources: Sequence[Source]) -> LabelSpace:
    spaces = {source.said.label_space for source in sources}
    if len(spaces) > 1:
        raise ConfigError(
            "the evaluations were judged in different label spaces: say --label-space subset or "
            "--label-space full"
        )
    return spaces.pop()


def _with_own_labels(sources: Sequence[Source]) -> list[tuple[Path, Stored]]:
    """Return all models and where they are; labels that several share begin with the place."""
    counts = Counter(model.identity.label for source in sources for model in source.models)
    return [
        (source.path, _labelled(model, source.path) if counts[model.identity.label] > 1 else model)
        for source in sources
        for model in source.models
    ]


def _labelled(model: Stored, path: Path) -> Stored:
    label = f"{path}: {model.identity.label}"
    return attrs.evolve(model, identity=attrs.evolve(model.identity, label=label))


def _with_own_groups(read: Sequence[tuple[Path, Stored]]) -> list[Stored]:
    """Return the models, in groups that count no seed twice."""
    groups = groups_without_doubles(
        [attrs.evolve(model.identity, source=str(path)) for path, model in read]
    )
    return [
        attrs.evolve(model, identity=attrs.evolve(model.identity, group=group))
        for (_, model), group in zip(read, groups, strict=True)
    ]


def _results(sources: Sequence[Source], compared: Comparison) -> EvaluationResults:
    """Return what all sources say, None where they differ in seed, precision, device, processes."""
    first, *others = (source.said for source in sources)
    shared: dict[str, Any] = {
        name: value if all(getattr(other, name) == value for other in others) else None
        for name in ("seed", "precision", "device", "processes")
        for value in [getattr(first, name)]
    }
    return attrs.evolve(
        compared.results(),
        cfft=version("cfft"),
        suite=first.suite,
        classes=first.classes,
        absent=first.absent,
        skipped=tuple(each for source in sources for each in source.said.skipped),
        **shared,
    )


def _warn_of_other_precisions(sources: Sequence[Source], reporter: Reporter) -> None:
    first = sources[0]
    for other in sources[1:]:
        if other.said.precision != first.said.precision:
            reporter.warned(
                f"{first.path} was computed in {_precision(first)} and {other.path} in "
                f"{_precision(other)}: a part of their differences may be rounding"
            )


def _precision(source: Source) -> str:
    return source.said.precision or "a precision that it does not say"
