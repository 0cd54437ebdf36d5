"""What an evaluation found, in tables that fit a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cfft.cli.output.consoles import print_whole
from cfft.cli.output.numbers import interval, percent, points
from cfft.errors import counted

_COLUMNS = 6
_OOD = "OOD average"
_NO_LINE = "it takes 3 models that have them, of different accuracies between 0 and 1"
Record = Mapping[str, Any]


def print_evaluation(console: Console, record: Record) -> None:
    """Print accuracies in percent: one model in detail, several side by side."""
    models: Sequence[Record] = record["models"]
    if len(models) == 1:
        print_whole(console, _details(record, models[0]))
    else:
        _print_names(console, models)
        for first in range(0, len(models), _fitting(console)):
            print_whole(console, _side_by_side(record, models[first:], first, _fitting(console)))
        print_whole(console, _averages(record))
    if any(len(group["models"]) > 1 for group in record["groups"]):
        print_whole(console, _groups(record))
    for line in _remarks(record):
        console.print(line, soft_wrap=True)


def _table(title: str, first: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _details(record: Record, model: Record) -> Table:
    columns = ("top-1", "95 % interval", "class mean", "top-5", "ECE", "n")
    table = _table(f"{model['model']}: accuracy in percent", "set", columns)
    for name, found in model["sets"].items():
        table.add_row(
            _with_role(name, found),
            percent(found["top1"]),
            interval(found["ci95"]),
            percent(found["class_mean"]),
            percent(found["top5"]),
            percent(found["ece"]),
            str(found["n"]),
        )
    if model["ood_average"] is not None:
        table.add_section()
        table.add_row(_OOD, percent(model["ood_average"]), interval(model["ood_ci95"]))
    table.caption = _judged_among(record)
    return table


def _print_names(console: Console, models: Sequence[Record]) -> None:
    names = Table.grid(padding=(0, 2))
    for number, model in enumerate(models, 1):
        names.add_row(f"{number:>3}", Text(model["model"], overflow="fold"), model["kind"])
    console.print(names)


def _fitting(console: Console) -> int:
    """Return how many models fit side by side: 7 columns of characters each, 30 for the rest."""
    return max(1, min(_COLUMNS, (console.width - 30) // 7))


def _side_by_side(record: Record, models: Sequence[Record], first: int, most: int) -> Table:
    """Print sets by models, which are called by their numbers from `first` + 1 on."""
    shown = models[:most]
    numbers = [str(first + place + 1) for place in range(len(shown))]
    table = _table("top-1 in percent", "set", [*numbers, "n"])
    for name in dict.fromkeys(name for model in shown for name in model["sets"]):
        found = [model["sets"].get(name) for model in shown]
        shares = [percent(each["top1"]) if each else "-" for each in found]
        sizes = sorted({each["n"] for each in found if each})
        some = next(each for each in found if each)
        table.add_row(_with_role(name, some), *shares, "/".join(map(str, sizes)))
    table.add_section()
    table.add_row(_OOD, *(percent(model["ood_average"]) for model in shown))
    _add_robustness(table, shown)
    table.caption = _judged_among(record)
    return table


def _add_robustness(table: Table, models: Sequence[Record]) -> None:
    found = [(model["effective_robustness"] or {}).get("ood_average") for model in models]
    if any(value is not None for value in found):
        shown = ["-" if value is None else points(0.0, value) for value in found]
        table.add_row("effective robustness", *shown)


def _averages(record: Record) -> Table:
    """Print OOD averages with their intervals, and how they differ from the baseline's."""
    labels = [model["model"] for model in record["models"]]
    gaps = {each["a"]: each["ood_average"] for each in record["differences"]}
    numbers = {label: str(number) for number, label in enumerate(labels, 1)}
    reference = f"minus {numbers[record['baseline']]}"
    columns = ("OOD average", "95 % interval", reference, "95 % interval")
    table = _table("out of distribution", "model", columns)
    for model in record["models"]:
        table.add_row(
            numbers[model["model"]],
            percent(model["ood_average"]),
            "-" if model["ood_ci95"] is None else interval(model["ood_ci95"]),
            *_gap(gaps.get(model["model"])),
        )
    table.caption = "intervals: bootstrap over images, the same ones for both models"
    return table


def _gap(found: Record | None) -> tuple[str | Text, str]:
    if found is None:
        return "", ""
    low, high = found["ci95"]
    style = "green" if low > 0 else "red" if high < 0 else ""
    ends = f"{points(0.0, low)} to {points(0.0, high)}"
    return Text(points(0.0, found["difference"]), style=style), ends


def _groups(record: Record) -> Table:
    """Print mean and standard deviation over seeds of the ID set and the OOD average."""
    models = {model["model"]: model for model in record["models"]}
    table = _table("mean and standard deviation over seeds", "group", ("seeds", "ID", _OOD))
    for group in record["groups"]:
        if len(group["models"]) > 1:
            sets = models[group["models"][0]]["sets"]
            test = next((name for name, each in sets.items() if each["role"] == "id"), "")
            table.add_row(
                group["group"],
                str(len(group["models"])),
                _spread(group["sets"].get(test)),
                _spread(group["ood_average"]),
            )
    return table


def _spread(found: Record | None) -> str:
    if found is None:
        return "-"
    return percent(found["mean"]) + ("" if found["std"] is None else f" ± {percent(found['std'])}")


def _remarks(record: Record) -> Iterator[str]:
    for name in _of_one_class(record):
        yield f"{name} has one class, which is then always right; see --label-space full"
    if record.get("baseline_line") is not None:
        lacking = [name for name in (*_ood(record), "ood_average") if name not in record["lines"]]
        yield from _of_line(record["lines"].get("ood_average"))
        if lacking:
            yield f"no baseline line for {', '.join(lacking)}: {_NO_LINE}"
    for label, lacking in _without_average(record):
        yield f"no OOD average of {label}: it was not measured on {', '.join(lacking)}"
    for name, why in record["absent"].items():
        yield f"not measured: {name} ({why})"
    if record["skipped"]:
        skipped = counted(len(record["skipped"]), "unreadable image")
        yield f"left out: {skipped}, named in evaluation.json"


def _of_line(line: Record | None) -> Iterator[str]:
    """Say what effective robustness is measured from, and when that is no rule to measure from."""
    if line is None:
        return
    said = f"line through {counted(line['models'], 'model')}, R² {line['r2']:.2f}"
    falling = ", which falls: there models that are better ID are worse OOD"
    yield (
        f"effective robustness: points of the OOD average above the {said}"
        f"{falling if line['slope'] <= 0 else ''}"
    )


def _of_one_class(record: Record) -> list[str]:
    found = ((name, each) for model in record["models"] for name, each in model["sets"].items())
    return list(dict.fromkeys(name for name, each in found if each["classes"] == 1))


def _without_average(record: Record) -> Iterator[tuple[str, list[str]]]:
    """Give the models that lack OOD sets which others have, and these sets."""
    models = record["models"]
    for model in models:
        lacking = [name for name in _ood(record) if name not in model["sets"]]
        if lacking:
            yield model["model"], lacking


def _ood(record: Record) -> list[str]:
    sets = [entry for model in record["models"] for entry in model["sets"].items()]
    return list(dict.fromkeys(name for name, each in sets if each["role"] == "ood"))


def _with_role(name: str, found: Record) -> str:
    return f"{name} ({found['role'].upper()})"


def _judged_among(record: Record) -> str:
    if record["label_space"] == "full":
        return f"among all {len(record['classes'])} classes"
    return "among the classes of each set"
