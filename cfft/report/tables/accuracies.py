"""The tables of accuracies: by configuration, by model, robustness, lines, differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cfft.errors import shortened_list
from cfft.evaluation.files.evaluation import Interval
from cfft.report.sources.records import AVERAGE, ID, ReportedModel
from cfft.report.summary import Group, Summary, spread
from cfft.report.tables.details import details
from cfft.report.tables.tables import Cell, Column, Table, with_best

_LOOSE = 0.5


def accuracy_tables(summary: Summary) -> list[Table]:
    """Return those of the tables that have something to say."""
    made = (results, by_model, robustness, lines, details, differences)
    return [table for make in made if (table := make(summary)).rows]


def results(summary: Summary) -> Table:
    """Tabulate top-1 by configuration: mean and standard deviation over seeds."""
    names = _names(summary)
    leading = [Column("model"), Column("seeds", "count")][: 1 + summary.has_seeds]
    rows = [
        [
            *(Cell(group.name), Cell(len(group.models)))[: len(leading)],
            *(
                Cell.of(summary.spread(group, name), _average_interval(summary, group.models, name))
                for name in names
            ),
        ]
        for group in summary.groups
    ]
    return Table(
        "results",
        "Top-1 accuracy in percent",
        (*leading, *_accuracy_columns(summary)),
        with_best(rows, range(len(leading), len(leading) + len(names))),
        tuple(_result_notes(summary)),
    )


def _average_interval(
    summary: Summary, models: Sequence[ReportedModel], name: str
) -> Interval | None:
    """Return the interval of the OOD average; those of sets stand in the table of details."""
    if name != AVERAGE or any(summary.value(model, name) is None for model in models):
        return None
    if len(models) == 1:
        return summary.interval(models[0], name)
    return summary.redrawn_interval(models, name)


def _names(summary: Summary) -> list[str]:
    return [*(name for name, role in summary.sets.items() if role == ID), *summary.targets]


def _accuracy_columns(summary: Summary) -> Iterator[Column]:
    for name in _names(summary):
        yield Column(name, "percent", summary.sets.get(name, ""))


def _result_notes(summary: Summary) -> Iterator[str]:
    yield "Bold: the best value of each column, as rounded here."
    yield from summary.material.notes
    if summary.has_seeds:
        yield "Mean ± standard deviation over seeds (N - 1)."
    if any(summary.interval(model, AVERAGE) for model in summary.material.models):
        yield "In brackets: the 95 % interval for the choice of images, not for that of seeds."
    models = summary.material.models if summary.targets else ()
    lacking = [model.label for model in models if summary.value(model, AVERAGE) is None]
    if lacking:
        yield (
            "The OOD average covers all OOD sets of the column headings; these models lack one: "
            f"{shortened_list(lacking)}."
        )


def by_model(summary: Summary) -> Table:
    """Tabulate top-1 of each model, where the table of configurations does not say it already."""
    names = _names(summary)
    rows = [
        [
            *(Cell(model.label), Cell(group.name), Cell(model.seed)),
            *(
                Cell(summary.value(model, name), ci95=_average_interval(summary, [model], name))
                for name in names
            ),
        ]
        for group in summary.groups
        for model in group.models
        if summary.has_seeds
    ]
    columns = (Column("model"), Column("configuration"), Column("seed", "count"))
    return Table(
        "models",
        "Top-1 accuracy of each model in percent",
        (*columns, *_accuracy_columns(summary)),
        with_best(rows, range(3, 3 + len(names))),
    )


def robustness(summary: Summary) -> Table:
    """Tabulate effective robustness by configuration, in points."""
    names = [name for name in _names(summary) if name in summary.lines]
    rows = [
        [Cell(group.name), *(_robustness(summary, group, name) for name in names)]
        for group in summary.groups
        if names
    ]
    columns = (Column(name, "points", summary.sets.get(name, "")) for name in names)
    return Table(
        "robustness",
        "Effective robustness in points",
        (Column("model"), *columns),
        with_best(rows, range(1, 1 + len(names))),
        tuple(_robustness_notes(summary)),
    )


def _robustness(summary: Summary, group: Group, name: str) -> Cell:
    return Cell.of(spread(summary.robustness(model, name) for model in group.models))


def _robustness_notes(summary: Summary) -> Iterator[str]:
    yield (
        f"OOD accuracy minus what accuracy on {summary.id_set} predicts, by a line through "
        f"{len(summary.baseline)} models, fitted to logits of accuracies (Taori et al. 2020). "
        "These models lie around zero by construction."
    )
    loose = [name for name, line in summary.lines.items() if (line.r2 or 0) < _LOOSE]
    if loose:
        yield (
            f"With an R² below {_LOOSE} the line predicts little, so distances from it mean "
            f"little: {', '.join(loose)}."
        )


def lines(summary: Summary) -> Table:
    rows = [
        (Cell(name), Cell(line.slope), Cell(line.intercept), Cell(line.r2), Cell(line.models))
        for name, line in summary.lines.items()
    ]
    numbers = (Column(title, "number") for title in ("slope", "intercept", "R²"))
    return Table(
        "lines",
        f"Lines between logit(OOD) and logit({summary.id_set})",
        (Column("set"), *numbers, Column("models", "count")),
        tuple(rows),
    )


def differences(summary: Summary) -> Table:
    rows = [
        (Cell(d.a), Cell(d.b), Cell(d.set), Cell(d.difference), Cell(d.ci95[0]), Cell(d.ci95[1]))
        for d in summary.material.differences
    ]
    names = (Column("model a"), Column("model b"), Column("set"))
    return Table(
        "differences",
        "Paired differences, a minus b, in points",
        (*names, *(Column(name, "points") for name in ("difference", "95 % from", "95 % to"))),
        tuple(rows),
    )
