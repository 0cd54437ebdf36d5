"""What a sweep comes to: the chosen values, and each row's mean and deviation over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from cfft.scoring.spread import Spread
from cfft.training.sweep.declaration import Values
from cfft.training.sweep.jobs import Job

BEFORE = "before fine-tuning"
SCHEMA = 1


@attrs.frozen
class Outcome:
    """Hold a row of the table; `sets` by set name, the ID set first; `runs`: their folders."""

    name: str
    runs: tuple[str, ...]
    validation: Spread | None
    sets: Mapping[str, Spread]
    ood_average: Spread | None


def best_values(jobs: Iterable[Job]) -> dict[str, Values]:
    """Return the searched values with the best validation accuracy by row; the first of equals."""
    best: dict[str, tuple[float, Values]] = {}
    for job in jobs:
        top1 = _finished(job)["best_val_top1"]
        if job.row.name not in best or top1 > best[job.row.name][0]:
            best[job.row.name] = (top1, job.values)
    return {name: values for name, (_, values) in best.items()}


def search_record(jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """Return every searched value with its validation accuracy, as sweep.json holds them."""
    return [
        {
            "row": job.row.name,
            "values": dict(job.values),
            "val_top1": _finished(job)["best_val_top1"],
        }
        for job in jobs
    ]


def outcomes(jobs: Sequence[Job]) -> list[Outcome]:
    """Return the table of finished runs, row by row; its first row is the model they start from.

    Rows that start from other models (another head, say) are told apart by their numbers: the
    first row holds those of the very first run.
    """
    before = _finished(jobs[0])["before"]
    start = Outcome(BEFORE, (), None, _sets([before]), _average([before]))
    names = dict.fromkeys(job.row.name for job in jobs)
    return [start, *(_outcome(name, [j for j in jobs if j.row.name == name]) for name in names)]


def _outcome(name: str, jobs: Sequence[Job]) -> Outcome:
    found = [_finished(job) for job in jobs]
    return Outcome(
        name,
        tuple(str(job.directory.root) for job in jobs),
        Spread.of([each["best_val_top1"] for each in found]),
        _sets(found),
        _average(found),
    )


def _sets(found: Sequence[Mapping[str, Any]]) -> dict[str, Spread]:
    names = found[0]["sets"]
    return {name: Spread.of([each["sets"][name]["top1"] for each in found]) for name in names}


def _average(found: Sequence[Mapping[str, Any]]) -> Spread | None:
    values = [each["ood_average"] for each in found]
    return None if None in values else Spread.of(values)


def _finished(job: Job) -> dict[str, Any]:
    found = job.results()
    if found is None:
        raise FileNotFoundError(job.directory.results)
    return found
