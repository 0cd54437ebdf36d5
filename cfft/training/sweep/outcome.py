"""Results of a sweep: the chosen values, and each row's mean and deviation over seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

import attrs

from cfft.errors import ConfigError
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import SCHEMA, write_json
from cfft.runtime.progress import Reporter
from cfft.scoring.spread import Spread
from cfft.training.results import ModelResults, RunResults
from cfft.training.run_directory import RunDirectory, is_begun
from cfft.training.sweep.declaration import Sweep, Values, point_name
from cfft.training.sweep.jobs import Job, check_jobs, final_jobs, planned_jobs, run_jobs

BEFORE = "before fine-tuning"
SWEEP = "sweep.json"


@attrs.frozen
class Outcome:
    """Hold a line of the table: a row of the sweep, or a point of a row that varies something.

    `sets`: by set name, the ID set first. `runs`: their folders. `row`: the row's name, of a curve
    the same for all of its points; empty before fine-tuning. `values`: those varied.
    """

    name: str
    runs: tuple[str, ...]
    validation: Spread | None
    sets: dict[str, Spread]
    ood_average: Spread | None
    row: str = ""
    values: Values = attrs.field(factory=dict)

    def places(self, sweep: Path) -> list[Path]:
        """Return the folders of its runs below that of the sweep, wherever it was moved."""
        depth = 3 if self.values else 2  # as in run_place
        return [sweep.joinpath(*Path(run).parts[-depth:]) for run in self.runs]


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


def run_sweep(
    sweep: Sweep,
    registry: Registry,
    out: Path,
    at_once: int,
    reporter: Reporter,
    done: Callable[[Job, RunResults], None],
) -> SweepResults:
    """Run what is missing of a sweep, write sweep.json and return what it holds.

    `out`: the folder of all runs. `at_once`, `done` and what is raised: as in `run_jobs`.
    """
    check_place(out)
    searching, _ = planned_jobs(sweep, registry, out)
    check_jobs(searching, registry)
    run_jobs(searching, at_once, reporter, done)
    searched = searched_values(searching)
    chosen = best_values(searched)
    final = final_jobs(sweep, registry, out, chosen)
    limits = {job.config.training.limit_eval for job in final}
    if len(limits) > 1:
        said = ", ".join(sorted(str(limit or "none") for limit in limits))
        reporter.warned(
            f"rows are measured on different images (training.limit_eval: {said}): their "
            "accuracies cannot be compared"
        )
    run_jobs(final, at_once, reporter, done)
    results = SweepResults(searched=searched, chosen=chosen, rows=outcomes(final))
    write_json(out / SWEEP, results)
    return results


def check_place(out: Path) -> None:
    """Raise ConfigError for a file, and for a run, which no sweep belongs into."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file: give the folder of the sweep")
    run = RunDirectory(out)
    if is_begun(run):
        raise ConfigError(
            f"--out {out} holds a run ({run.config.name}): give the folder of the sweep, or a "
            "new one"
        )


def searched_values(jobs: Iterable[Job]) -> tuple[Searched, ...]:
    """Return every searched value with its validation accuracy."""
    return tuple(Searched(j.row.name, j.values, _finished(j).best_val_top1) for j in jobs)


def best_values(searched: Iterable[Searched]) -> dict[str, Values]:
    """Return the searched values with the best validation accuracy by row; the first of equals."""
    best: dict[str, Searched] = {}
    for each in searched:
        if each.row not in best or (each.val_top1 or 0) > (best[each.row].val_top1 or 0):
            best[each.row] = each
    return {name: each.values for name, each in best.items()}


def outcomes(jobs: Sequence[Job]) -> tuple[Outcome, ...]:
    """Return the table of finished runs, row by row; its first row is the model they start from.

    Rows that start from other models (another head, say) are told apart by their numbers: the
    first row holds those of the first run that measured its model before fine-tuning; it is missing
    where none did.
    """
    measured = (_finished(job).before for job in jobs)
    start = [
        Outcome(BEFORE, (), None, _sets([before]), _spread([before.ood_average]))
        for before in islice((each for each in measured if each.sets), 1)
    ]
    points: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        points.setdefault((job.row.name, _name(job)), []).append(job)
    return (*start, *(_outcome(name, members) for (_, name), members in points.items()))


def _name(job: Job) -> str:
    return ", ".join(filter(None, (job.row.name, point_name(job.point))))


def _outcome(name: str, jobs: Sequence[Job]) -> Outcome:
    found = [_finished(job) for job in jobs]
    return Outcome(
        name,
        tuple(str(job.directory.root) for job in jobs),
        _spread([each.best_val_top1 for each in found]),
        _sets(found),
        _spread([each.ood_average for each in found]),
        jobs[0].row.name,
        jobs[0].point,
    )


def _sets(found: Sequence[RunResults | ModelResults]) -> dict[str, Spread]:
    return {name: Spread.of([each.sets[name].top1 for each in found]) for name in found[0].sets}


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread.of(known) if len(known) == len(values) else None


def _finished(job: Job) -> RunResults:
    found = job.results()
    if found is None:
        raise FileNotFoundError(job.directory.results)
    return found
