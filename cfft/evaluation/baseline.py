"""What models are compared with: one of them, and the line that others lie on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from statistics import mean

import attrs

from cfft.errors import ConfigError, DataError, unknown
from cfft.evaluation.comparison import OOD_AVERAGE, ood_names, with_average
from cfft.evaluation.files import EVALUATION, read_evaluation, structured
from cfft.evaluation.measured import BEFORE, Identity, MeasuredModel
from cfft.robustness import AccuracyLine, fit_line

_LINES = ".jsonl"
Accuracies = Mapping[str, float]


@attrs.frozen
class _Set:
    top1: float


@attrs.frozen
class _Model:
    sets: dict[str, _Set]


@attrs.frozen
class _Evaluation:
    models: list[_Model]


def chosen_baseline(asked: str | None, models: Sequence[Identity]) -> str | None:
    """Return the label of the model that others are compared with; None for a single model.

    Without `asked` it is the first one before fine-tuning, else the first. Raises ConfigError.
    """
    labels = [model.label for model in models]
    if asked is not None:
        named = [m.label for m in models if asked in (m.label, m.source)]
        if not named:
            raise ConfigError(f"--baseline: {unknown('model', asked, labels, 'measured here')}")
        return named[0]
    before = [model.label for model in models if model.kind in BEFORE]
    return [*before, *labels][0] if len(labels) > 1 else None


@attrs.frozen(eq=False)
class BaselineLine:
    """Say which models make the line: `points` read from a file, or those among `labels`."""

    points: Sequence[Accuracies] = ()
    labels: frozenset[str] = frozenset()

    def fit(self, models: Sequence[MeasuredModel]) -> dict[str, AccuracyLine]:
        """Return the line of each OOD set, and of their average, where two points make one."""
        test = next((model.test for model in models if model.test is not None), None)
        if test is None:
            return {}
        names = ood_names(models)
        measured = [with_average(model, names) for model in models if model.label in self.labels]
        published = [_named(point, [test, *names]) for point in self.points]
        points = [*measured, *(_averaged(point, names) for point in published)]
        lines = {name: _line(points, test, name) for name in (*names, OOD_AVERAGE)}
        return {name: line for name, line in lines.items() if line is not None}


def baseline_line(asked: str | None, models: Sequence[Identity]) -> BaselineLine:
    """Find the models that make the line; nothing has to be measured yet.

    `asked`: a .jsonl file with one JSON object of accuracies by set a line, an evaluation, or a
    pattern of labels, sources or groups of `models`. Raises ConfigError for fewer than two.
    """
    if asked is None:
        return BaselineLine()
    line = _read_line(asked) or BaselineLine(labels=_matching(asked, models))
    count = len(line.points) + len(line.labels)
    if count < 2:
        raise ConfigError(
            f"--baseline-line {asked}: a line takes two models or more, here are {count}: give a "
            f"FILE{_LINES}, an evaluation, or a pattern of models measured here: "
            f"{', '.join(model.label for model in models)}"
        )
    return line


def _line(points: Sequence[Accuracies], test: str, name: str) -> AccuracyLine | None:
    return fit_line((each[test], each[name]) for each in points if {test, name} <= each.keys())


def _read_line(asked: str) -> BaselineLine | None:
    path = Path(asked)
    if path.suffix == _LINES:
        return BaselineLine(points=_read_points(path))
    if path.name == EVALUATION or (path / EVALUATION).is_file():
        measured = structured(read_evaluation(path), _Evaluation, str(path)).models
        return BaselineLine(points=[_top1(model.sets) for model in measured])
    return None


def _top1(sets: Mapping[str, _Set]) -> Accuracies:
    return {name: each.top1 for name, each in sets.items()}


def _read_points(path: Path) -> list[Accuracies]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--baseline-line {path} cannot be read: {error}") from error
    return [_point(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _point(path: Path, number: int, line: str) -> Accuracies:
    try:
        items = json.loads(line).items()
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path}, line {number}: no JSON object of accuracies: {error}") from error
    shares = {key: value for key, value in items if isinstance(value, int | float)}
    wrong = [key for key, value in shares.items() if not 0 <= value <= 1]
    if wrong:
        raise DataError(
            f"{path}, line {number}: {wrong[0]} is {shares[wrong[0]]:g}; accuracies are shares 0..1"
        )
    return shares


def _matching(asked: str, models: Sequence[Identity]) -> frozenset[str]:
    return frozenset(
        model.label
        for model in models
        if any(fnmatch(name, asked) for name in (model.label, model.source, model.group))
    )


def _named(point: Accuracies, sets: Sequence[str]) -> Accuracies:
    """Call the values of a file as the sets here: case and punctuation do not count."""
    spelt = {_plain(name): name for name in sets}
    return {spelt[_plain(key)]: value for key, value in point.items() if _plain(key) in spelt}


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _averaged(point: Accuracies, ood: Sequence[str]) -> Accuracies:
    if not ood or not point.keys() >= set(ood):
        return point
    return {**point, OOD_AVERAGE: mean(point[name] for name in ood)}
