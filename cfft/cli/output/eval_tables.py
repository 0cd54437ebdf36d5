"""Tables of an evaluation that fit a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cfft.cli.output.consoles import print_whole, table
from cfft.cli.output.numbers import interval, percent, points, spread
from cfft.data.passed_over import spelled
from cfft.errors import counted
from cfft.runtime.outside import shown

if TYPE_CHECKING:  # torch comes with them
    from cfft.evaluation.files.evaluation import EvaluatedModel, EvaluationResults, Gap
    from cfft.scoring.results import SetResult
    from cfft.scoring.robustness import AccuracyLine

_COLUMNS = 6
_OOD = "OOD average"
_NO_LINE = "it needs 3 models measured there, with different accuracies between 0 and 1"


def print_evaluation(console: Console, results: EvaluationResults) -> None:
    """Print accuracies in percent: one model in detail, several side by side."""
    models = results.models
    if len(models) == 1:
        print_whole(console, _details(results, models[0]))
    else:
        _print_names(console, models)
        for first in range(0, len(models), _fitting(console)):
            print_whole(console, _side_by_side(results, models[first:], first, _fitting(console)))
        print_whole(console, _averages(results))
    if any(len(group.models) > 1 for group in results.groups):
        print_whole(console, _groups(results))
    for line in _remarks(results):
        console.print(line, soft_wrap=True)


def _details(results: EvaluationResults, model: EvaluatedModel) -> Table:
    columns = ("set", "top-1", "95 % interval", "class mean", "top-5", "ECE", "n")
    rows = (
        (
            _with_role(name, found),
            percent(found.top1),
            interval(found.ci95),
            *map(percent, (found.class_mean, found.top5, found.ece)),
            str(found.n),
        )
        for name, found in model.sets.items()
    )
    title = f"{model.label}: accuracy in percent"
    shown = table(columns, rows, title=title, caption=_judged_among(results))
    if model.ood_average is not None:
        shown.add_section()
        shown.add_row(_OOD, percent(model.ood_average), interval(model.ood_ci95))
    return shown


def _print_names(console: Console, models: Sequence[EvaluatedModel]) -> None:
    names = Table.grid(padding=(0, 2))
    for number, model in enumerate(models, 1):
        names.add_row(f"{number:>3}", Text(shown(model.label), overflow="fold"), model.kind)
    console.print(names)


def _fitting(console: Console) -> int:
    """Return how many models fit side by side: 7 columns of characters each, 30 for the rest."""
    return max(1, min(_COLUMNS, (console.width - 30) // 7))


def _side_by_side(
    results: EvaluationResults, models: Sequence[EvaluatedModel], first: int, most: int
) -> Table:
    """Print sets by models, which are called by their numbers from `first` + 1 on."""
    shown = models[:most]
    numbers = [str(first + place + 1) for place in range(len(shown))]
    made = table(
        ["set", *numbers, "n"], (), title="top-1 in percent", caption=_judged_among(results)
    )
    for name in dict.fromkeys(name for model in shown for name in model.sets):
        found = [model.sets.get(name) for model in shown]
        shares = [percent(each.top1) if each else "-" for each in found]
        sizes = sorted({each.n for each in found if each and each.n})
        some = next(each for each in found if each)
        made.add_row(_with_role(name, some), *shares, "/".join(map(str, sizes)))
    made.add_section()
    made.add_row(_OOD, *(percent(model.ood_average) for model in shown))
    robust = [(model.effective_robustness or {}).get("ood_average") for model in shown]
    if any(value is not None for value in robust):
        spelled = ["-" if value is None else points(0.0, value) for value in robust]
        made.add_row("effective robustness", *spelled)
    return made


def _averages(results: EvaluationResults) -> Table:
    labels = [model.label for model in results.models]
    gaps = {each.a: each.ood_average for each in results.differences}
    numbers = {label: str(number) for number, label in enumerate(labels, 1)}
    reference = f"minus {numbers[results.baseline or labels[0]]}"
    columns = ("model", "OOD average", "95 % interval", reference, "95 % interval")
    rows = (
        (
            numbers[model.label],
            percent(model.ood_average),
            interval(model.ood_ci95),
            *_gap(gaps.get(model.label)),
        )
        for model in results.models
    )
    caption = "intervals: bootstrap over images, paired between the models"
    return table(columns, rows, title="out of distribution", caption=caption)


def _gap(found: Gap | None) -> tuple[str | Text, str]:
    if found is None:
        return "", ""
    low, high = found.ci95
    style = "green" if low > 0 else "red" if high < 0 else ""
    ends = f"{points(0.0, low)} to {points(0.0, high)}"
    return Text(points(0.0, found.difference), style=style), ends


def _groups(results: EvaluationResults) -> Table:
    models = {model.label: model for model in results.models}
    rows = []
    for group in results.groups:
        if len(group.models) > 1:
            sets = models[group.models[0]].sets
            test = next((name for name, each in sets.items() if each.role == "id"), "")
            seeds = str(len(group.models))
            id_test, ood_average = group.sets.get(test), group.ood_average
            rows.append((group.group, seeds, spread(id_test), spread(ood_average)))
    title = "mean and standard deviation over seeds"
    return table(("group", "seeds", "ID", _OOD), rows, title=title)


def _remarks(results: EvaluationResults) -> Iterator[str]:
    for name in _of_one_class(results):
        yield f"{name} has a single class, so every prediction is right; see --label-space full"
    if results.baseline_line is not None:
        lacking = [name for name in (*_ood(results), "ood_average") if name not in results.lines]
        yield from _of_line(results.lines.get("ood_average"))
        if lacking:
            yield f"no baseline line for {', '.join(lacking)}: {_NO_LINE}"
    for label, lacking in _without_average(results):
        yield f"no OOD average of {label}: it was not measured on {', '.join(lacking)}"
    for name, why in results.absent.items():
        yield f"not measured: {name} ({why})"
    for name, passed in results.passed_over.items():
        yield f"passed over in {name}: {spelled(passed)}"
    if results.skipped:
        skipped = counted(len(results.skipped), "unreadable image")
        yield f"left out: {skipped}, listed in evaluation.json"


def _of_line(line: AccuracyLine | None) -> Iterator[str]:
    if line is None:
        return
    fit = "" if line.r2 is None else f", R² {line.r2:.2f}"
    falling = "; it falls: models that are better ID are worse OOD"
    yield (
        "effective robustness: points of the OOD average above the line through "
        f"{counted(line.models, 'model')}{fit}"
        f"{falling if line.slope <= 0 else ''}"
    )


def _of_one_class(results: EvaluationResults) -> list[str]:
    found = ((name, each) for model in results.models for name, each in model.sets.items())
    return list(dict.fromkeys(name for name, each in found if each.classes == 1))


def _without_average(results: EvaluationResults) -> Iterator[tuple[str, list[str]]]:
    """Give the models that lack OOD sets which others have, and these sets."""
    models = results.models
    for model in models:
        lacking = [name for name in _ood(results) if name not in model.sets]
        if lacking:
            yield model.label, lacking


def _ood(results: EvaluationResults) -> list[str]:
    sets = [entry for model in results.models for entry in model.sets.items()]
    return list(dict.fromkeys(name for name, each in sets if each.role == "ood"))


def _with_role(name: str, found: SetResult) -> str:
    return f"{name} ({found.role.upper()})"


def _judged_among(results: EvaluationResults) -> str:
    if results.label_space == "full":
        return f"among all {len(results.classes)} classes"
    return "among the classes of each set"
