"""The baseline of a comparison: one of its models, and the line that others lie on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from cfft.data.consistency import OOD_AVERAGE
from cfft.errors import ConfigError, DataError, unknown_name
from cfft.evaluation.compare.comparison import ood_names, with_average
from cfft.evaluation.compare.measured import MeasuredModel
from cfft.evaluation.files.evaluation import BEFORE, EVALUATION, Identity, read_evaluation
from cfft.evaluation.files.json_lines import accuracies, read_lines
from cfft.runtime.patterns import is_called
from cfft.scoring.averages import with_ood_average
from cfft.scoring.results import Role
from cfft.scoring.robustness import FEWEST_ON_A_LINE, AccuracyLine, fit_lines

_LINES = ".jsonl"
Accuracies = Mapping[str, float]
"""Top-1 of a model by set, 0..1."""


def chosen_baseline(asked: str | None, models: Sequence[Identity]) -> str | None:
    """Return the label of the model that others are compared with; None for a single model.

    Without `asked` it is the first one before fine-tuning, else the first. Raises ConfigError.
    """
    labels = [model.label for model in models]
    if asked is not None:
        named = [m.label for m in models if asked in (m.label, m.source)]
        if not named:
            raise ConfigError(
                f"--baseline: {unknown_name('model', asked, labels, 'measured here')}"
            )
        return named[0]
    before = [model.label for model in models if model.kind in BEFORE]
    return [*before, *labels][0] if len(labels) > 1 else None


@attrs.frozen(eq=False)
class BaselineLine:
    """Hold the models that make the line: `points` from a file, or those called `labels`.

    `asked`: what the user wrote, None without a line.
    """

    asked: str | None = None
    points: Sequence[Accuracies] = ()
    labels: frozenset[str] = frozenset()

    def check(self, roles: Mapping[str, Role]) -> None:
        """Raise DataError unless there can be a line; `roles`: of the sets that are measured.

        Whether models differ enough to make one shows once they are measured.
        """
        if self.asked is None:
            return
        test = next((name for name, role in roles.items() if role == "id"), None)
        ood = [name for name, role in roles.items() if role == "ood"]
        if test is None or not ood:
            raise DataError(
                f"--baseline-line needs an ID set and OOD sets, got: {', '.join(roles)}"
            )
        named = [_named(point, [*roles]).keys() for point in self.points]
        most = max(sum({test, name} <= own for own in named) for name in ood)
        if not self.labels and most < FEWEST_ON_A_LINE:
            keys = dict.fromkeys(key for point in self.points for key in point)
            raise DataError(
                f"--baseline-line {self.asked}: a line needs {FEWEST_ON_A_LINE} models with "
                f"accuracies on {test} and on one of {', '.join(ood)}; its sets are: "
                f"{', '.join(keys)}"
            )

    def fit(self, models: Sequence[MeasuredModel]) -> dict[str, AccuracyLine]:
        """Return the line of each OOD set, and of their average, where enough models make one."""
        test = next((model.test for model in models if model.test is not None), None)
        if test is None:
            return {}
        names = ood_names(models)
        measured = [with_average(model, names) for model in models if model.label in self.labels]
        published = [_named(point, [test, *names]) for point in self.points]
        points = [*measured, *(with_ood_average(point, names) for point in published)]
        return fit_lines(points, test, [*names, OOD_AVERAGE])


def baseline_line(asked: str | None, models: Sequence[Identity]) -> BaselineLine:
    """Find the models that make the line, before anything is measured.

    `asked`: a .jsonl file with one JSON object of accuracies by set per line, an evaluation, or a
    pattern of labels, sources or groups of `models`. Raises ConfigError for too few, DataError for
    a file that cannot be read.
    """
    if asked is None:
        return BaselineLine()
    points = _read_points(Path(asked))
    named = [each for each in models if is_called(asked, (each.label, each.source, each.group))]
    labels = frozenset() if points is not None else frozenset(model.label for model in named)
    count = len(points or labels)
    if count < FEWEST_ON_A_LINE:
        raise ConfigError(
            f"--baseline-line {asked}: a line needs {FEWEST_ON_A_LINE} models or more, got "
            f"{count}: give a FILE{_LINES}, an evaluation, or a pattern of models measured here: "
            f"{', '.join(model.label for model in models)}"
        )
    return BaselineLine(asked, points or (), labels)


def _read_points(path: Path) -> list[Accuracies] | None:
    """Return the models of a file or of an evaluation, None where `path` is neither."""
    if path.suffix == _LINES:
        return [accuracies(line, place) for place, line in read_lines(path)]
    if path.name == EVALUATION or (path / EVALUATION).is_file():
        measured = read_evaluation(path).models
        return [{name: each.top1 for name, each in model.sets.items()} for model in measured]
    return None


def _named(point: Accuracies, sets: Sequence[str]) -> Accuracies:
    """Rename the values of a file to the sets measured here, but for case and punctuation.

    Raises DataError where two names come to the same set.
    """
    keys: dict[str, str] = {}
    for key in point:
        name = _called(key, sets)
        if name in keys:
            raise DataError(
                f"--baseline-line: '{keys[name]}' and '{key}' are both the set '{name}'; keep one"
            )
        if name is not None:
            keys[name] = key
    return {name: point[key] for name, key in keys.items()}


def _called(key: str, sets: Sequence[str]) -> str | None:
    """Return the set of that name, or the only one of that name but for case and punctuation."""

    def plain(name: str) -> str:
        return "".join(filter(str.isalnum, name)).lower()

    alike = [name for name in sets if plain(name) == plain(key)]
    if key in alike:
        return key
    return alike[0] if len(alike) == 1 else None
