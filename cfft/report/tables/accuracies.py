"""The tables of accuracies: by configuration, by model, robustness, lines, differences."""

from __future__ import annotations

from collections.abc import Iterator

from cfft.errors import shortened
from cfft.report.sources.records import AVERAGE, ID, Model
from cfft.report.summary import Group, Summary
from cfft.report.tables.details import details
from cfft.report.tables.tables import Cell, Column, Table, figure, text, with_best, with_rows

_LOOSE = 0.5


def accuracy_tables(summary: Summary) -> list[Table]:
    """Return those of the tables that have something to say."""
    made = (results, by_model, robustness, lines, details, differences)
    return with_rows(make(summary) for make in made)


def results(summary: Summary) -> Table:
    """Tabulate top-1 by configuration: mean and standard deviation over seeds."""
    names = _names(summary)
    has_seeds = any(len(group.models) > 1 for group in summary.groups)
    leading = [Column("model"), *([Column("seeds", "count")] if has_seeds else [])]
    rows = [
        [*_leading(group, has_seeds), *(figure(summary.spread(group, name)) for name in names)]
        for group in summary.groups
    ]
    return Table(
        "results",
        "Top-1 accuracy in percent",
        (*leading, *_accuracy_columns(summary)),
        with_best(rows, range(len(leading), len(leading) + len(names))),
        tuple(_result_notes(summary, has_seeds)),
    )


def _leading(group: Group, has_seeds: bool) -> list[Cell]:
    return [text(group.name), *([Cell(len(group.models))] if has_seeds else [])]


def _names(summary: Summary) -> list[str]:
    """Return the columns of accuracies: ID sets, the OOD average, OOD sets."""
    return [*(name for name, role in summary.sets.items() if role == ID), *summary.targets]


def _accuracy_columns(summary: Summary) -> Iterator[Column]:
    for name in _names(summary):
        yield Column(name, "percent", summary.sets.get(name, ""))


def _result_notes(summary: Summary, has_seeds: bool) -> Iterator[str]:
    yield "Bold: the best of each column as it is shown."
    yield from summary.material.notes
    if has_seeds:
        yield "Mean ± standard deviation over seeds (N - 1)."
    lacking = [m.label for m in summary.material.models if _lacks_ood(summary, m)]
    if lacking:
        yield (
            "The OOD average is over all OOD sets of the column headings; without one of them: "
            f"{shortened(lacking)}."
        )


def _lacks_ood(summary: Summary, model: Model) -> bool:
    return bool(summary.targets) and summary.value(model, AVERAGE) is None


def by_model(summary: Summary) -> Table:
    """Tabulate top-1 of each model, where the table of configurations does not say it already."""
    has_seeds = any(len(group.models) > 1 for group in summary.groups)
    names = _names(summary)
    rows = [
        [
            *(text(model.label), text(group.name), Cell(model.seed)),
            *(Cell(summary.value(model, name)) for name in names),
        ]
        for group in summary.groups
        for model in group.models
        if has_seeds
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
        [text(group.name), *(figure(summary.robustness_spread(group, name)) for name in names)]
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


def _robustness_notes(summary: Summary) -> Iterator[str]:
    yield (
        f"OOD accuracy minus what {summary.id_set} foretells, by a line through "
        f"{len(summary.baseline)} models fitted between logits of accuracies (Taori et al. "
        "2020). These models lie around zero by construction."
    )
    loose = [name for name, line in summary.lines.items() if (line.r2 or 0) < _LOOSE]
    if loose:
        yield (
            f"With an R² below {_LOOSE} the line foretells little, so that distances from it say "
            f"little: {', '.join(loose)}."
        )


def lines(summary: Summary) -> Table:
    """Tabulate the fitted lines."""
    rows = [
        (text(name), Cell(line.slope), Cell(line.intercept), Cell(line.r2), Cell(line.models))
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
    """Tabulate paired differences between models with their intervals."""
    rows = [
        (text(d.a), text(d.b), text(d.set), Cell(d.difference), Cell(d.ci95[0]), Cell(d.ci95[1]))
        for d in summary.material.differences
    ]
    names = (Column("model a"), Column("model b"), Column("set"))
    return Table(
        "differences",
        "Paired differences, a minus b, in points",
        (*names, *(Column(name, "points") for name in ("difference", "95 % from", "95 % to"))),
        tuple(rows),
    )
