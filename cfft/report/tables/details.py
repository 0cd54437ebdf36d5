"""The table of what is known of each model on each set beyond top-1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from cfft.report.sources.records import AVERAGE, Model, Robustness
from cfft.report.summary import Summary
from cfft.report.tables.tables import Cell, Column, Table, text
from cfft.scoring.results import SetResult

Read = Callable[[Model, str], float | None]


def details(summary: Summary) -> Table | None:
    """Tabulate a row per model and set, columns where any row has a value; None without rows."""
    read = _columns(summary)
    rows = [
        (model.label, name, [values(model, name) for values in read.values()])
        for model in summary.material.models
        for name in _names(summary, model)
    ]
    known = [any(values[place] is not None for *_, values in rows) for place in range(len(read))]
    columns = [column for column, is_known in zip(read, known, strict=True) if is_known]
    return (
        Table(
            "details",
            "Each set in detail",
            (Column("model"), Column("set"), *columns),
            tuple(
                (text(label), text(name), *_cells(values, known)) for label, name, values in rows
            ),
            tuple(_notes(summary)),
        )
        if rows
        else None
    )


def _names(summary: Summary, model: Model) -> Iterator[str]:
    """Go through the sets of which more than top-1 is known, the OOD average among them."""
    for name, entry in model.sets.items():
        if entry.ci95 is not None or entry.n is not None:
            yield name
    is_average_known = summary.value(model, AVERAGE) is not None
    if is_average_known and (model.ood_ci95 is not None or AVERAGE in model.robustness):
        yield AVERAGE


def _cells(values: Sequence[float | None], known: Sequence[bool]) -> Iterator[Cell]:
    for value, is_known in zip(values, known, strict=True):
        if is_known:
            yield Cell(value)


def _columns(summary: Summary) -> Mapping[Column, Read]:
    """Return all columns with what stands in them for a model on a set."""
    return {
        Column("top-1", "percent"): summary.value,
        Column("95 % from", "percent"): lambda model, name: _end(summary, model, name, 0),
        Column("95 % to", "percent"): lambda model, name: _end(summary, model, name, 1),
        Column("images", "count"): _of_set(lambda entry: entry.n),
        Column("classes", "count"): _of_set(lambda entry: entry.classes),
        Column("class mean", "percent"): _of_set(lambda entry: entry.class_mean),
        Column("top-5", "percent"): _of_set(lambda entry: entry.top5),
        Column("calibration error", "percent"): _of_set(lambda entry: entry.ece),
        Column("ID top-1 on its classes", "percent"): lambda model, name: (
            model.id_on_classes_of.get(name)
        ),
        Column("robustness", "points"): _of_robustness(lambda found: found.value),
        Column("robustness, 95 % from", "points"): _of_robustness(lambda found: found.low),
        Column("robustness, 95 % to", "points"): _of_robustness(lambda found: found.high),
    }


def _end(summary: Summary, model: Model, name: str, end: int) -> float | None:
    found = summary.interval(model, name)
    return None if found is None else found[end]


def _of_set(read: Callable[[SetResult], float | None]) -> Read:
    def value(model: Model, name: str) -> float | None:
        return read(model.sets[name]) if name in model.sets else None

    return value


def _of_robustness(read: Callable[[Robustness], float | None]) -> Read:
    def value(model: Model, name: str) -> float | None:
        return read(model.robustness[name]) if name in model.robustness else None

    return value


def _notes(summary: Summary) -> Iterator[str]:
    models = summary.material.models
    if any(model.id_on_classes_of for model in models):
        yield "ID top-1 on its classes: on the ID images of the classes that the set has."
    if any(model.robustness for model in models):
        yield (
            "Robustness: effective robustness in points as cfft eval measured it, by the line of "
            "its --baseline-line, with the interval for the choice of images."
        )
