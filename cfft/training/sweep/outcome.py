"""The results of a sweep: the chosen values, and each row's mean and deviation over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from cfft.runtime.json_files import SCHEMA
from cfft.scoring.spread import Spread
from cfft.training.results import ModelResults, RunResults
from cfft.training.sweep.declaration import Values
from cfft.training.sweep.jobs import Job

BEFORE = "before fine-tuning"


@attrs.frozen
class Outcome:
    """Hold a row of the table; `sets` by set name, the ID set first; `runs`: their folders."""

    name: str
    runs: tuple[str, ...]
    validation: Spread | None
    sets: dict[str, Spread]
    ood_average: Spread | None

    def spelt(self) -> list[str]:
        """Return the cells of the row: its name, then accuracies in percent."""
        return [self.name, *map(_spelt, (self.validation, *self.sets.values(), self.ood_average))]


@attrs.frozen
class Searched:
    """Hold searched values of a row and the validation accuracy that they led to."""

    row: str
    values: Values
    val_top1: float | None


@attrs.frozen(kw_only=True)
class SweepResults:
    """Hold what sweep.json says; `chosen`: the searched values by row."""

    schema: int = SCHEMA
    searched: tuple[Searched, ...]
    chosen: dict[str, Values]
    rows: tuple[Outcome, ...]

    def headings(self) -> list[str]:
        return ["row", "validation", *self.rows[0].sets, "OOD average"]


def markdown(results: SweepResults) -> str:
    headings = results.headings()
    ruler = ["---", *["---:"] * (len(headings) - 1)]
    lines = [headings, ruler, *(row.spelt() for row in results.rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def searched_values(jobs: Iterable[Job]) -> tuple[Searched, ...]:
    """Return every searched value with its validation accuracy."""
    return tuple(Searched(j.row.name, j.values, _finished(j).best_val_top1) for j in jobs)


def best_values(searched: Iterable[Searched]) -> dict[str, Values]:
    """Return the searched values with the best validation accuracy by row; the first of equals."""
    best: dict[str, Searched] = {}
    for each in searched:
        best[each.row] = max(best.get(each.row, each), each, key=lambda found: found.val_top1 or 0)
    return {name: each.values for name, each in best.items()}


def outcomes(jobs: Sequence[Job]) -> tuple[Outcome, ...]:
    """Return the table of finished runs, row by row; its first row is the model they start from.

    Rows that start from other models (another head, say) are told apart by their numbers: the
    first row holds those of the very first run.
    """
    before = _finished(jobs[0]).before
    start = Outcome(BEFORE, (), None, _sets([before]), _spread([before.ood_average]))
    names = dict.fromkeys(job.row.name for job in jobs)
    return (start, *(_outcome(name, [j for j in jobs if j.row.name == name]) for name in names))


def _outcome(name: str, jobs: Sequence[Job]) -> Outcome:
    found = [_finished(job) for job in jobs]
    return Outcome(
        name,
        tuple(str(job.directory.root) for job in jobs),
        _spread([each.best_val_top1 for each in found]),
        _sets(found),
        _spread([each.ood_average for each in found]),
    )


def _sets(found: Sequence[RunResults | ModelResults]) -> dict[str, Spread]:
    return {name: Spread.of([each.sets[name].top1 for each in found]) for name in found[0].sets}


def _spelt(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    deviation = f" ±{100 * spread.std:.1f}" if spread.std is not None else ""
    return f"{100 * spread.mean:.1f}{deviation}"


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread.of(known) if len(known) == len(values) else None


def _finished(job: Job) -> RunResults:
    found = job.results()
    if found is None:
        raise FileNotFoundError(job.directory.results)
    return found
