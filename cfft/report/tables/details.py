"""The table of all measurements of each model on each set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import compress
from typing import Literal

from cfft.report.sources.records import AVERAGE, ReportedModel
from cfft.report.summary import Summary
from cfft.report.tables.tables import Cell, Column, Table

Read = Callable[[ReportedModel, str], float | None]
_UNKNOWN = (None, None)


def details(summary: Summary) -> Table:
    """Tabulate a row per model and set, columns where any row has a value."""
    read = _columns(summary)
    rows = [
        (model.label, name, [values(model, name) for values in read.values()])
        for model in summary.material.models
        for name in _names(summary, model)
    ]
    known = [any(values[place] is not None for *_, values in rows) for place in range(len(read))]
    columns = compress(read, known)
    return Table(
        "details",
        "Each set in detail",
        (Column("model"), Column("set"), *columns),
        tuple((*map(Cell, row[:2]), *map(Cell, compress(row[2], known))) for row in rows),
        tuple(_notes(summary)),
    )


def _names(summary: Summary, model: ReportedModel) -> Iterator[str]:
    for name, entry in model.sets.items():
        if entry.ci95 is not None or entry.n is not None:
            yield name
    is_average_known = summary.value(model, AVERAGE) is not None
    has_interval = summary.interval(model, AVERAGE) is not None
    if is_average_known and (has_interval or AVERAGE in model.robustness):
        yield AVERAGE


def _columns(summary: Summary) -> Mapping[Column, Read]:
    return {
        Column("top-1", "percent"): summary.value,
        Column("95 % from", "percent"): lambda *place: (summary.interval(*place) or _UNKNOWN)[0],
        Column("95 % to", "percent"): lambda *place: (summary.interval(*place) or _UNKNOWN)[1],
        Column("images", "count"): _of("sets", "n"),
        Column("classes", "count"): _of("sets", "classes"),
        Column("class mean", "percent"): _of("sets", "class_mean"),
        Column("top-5", "percent"): _of("sets", "top5"),
        Column("calibration error", "percent"): _of("sets", "ece"),
        Column("ID top-1 on its classes", "percent"): lambda model, name: (
            model.id_on_classes_of.get(name)
        ),
        Column("robustness", "points"): _of("robustness", "value"),
        Column("robustness, 95 % from", "points"): _of("robustness", "low"),
        Column("robustness, 95 % to", "points"): _of("robustness", "high"),
    }


def _of(entries: Literal["sets", "robustness"], field: str) -> Read:
    return lambda model, name: getattr(getattr(model, entries).get(name), field, None)


def _notes(summary: Summary) -> Iterator[str]:
    models = summary.material.models
    if any(model.id_on_classes_of for model in models):
        yield "ID top-1 on its classes: accuracy on the ID images of the classes in the set."
    if any(model.robustness for model in models):
        yield (
            "Robustness: effective robustness in points, as measured by cfft eval with its "
            "--baseline-line; the interval reflects the choice of images."
        )
