"""frontier.json: the rows of a finished sweep at equal ID accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cfft.evaluation.compare.frontier import CurvePoint, FrontierResults, frontier
from cfft.evaluation.recomputed import measured_runs
from cfft.runtime.json_files import read_json
from cfft.training.sweep.outcome import Outcome

FRONTIER = "frontier.json"


def sweep_frontier(
    rows: Sequence[Outcome], reference: str, at: Sequence[float] = ()
) -> FrontierResults:
    """Compare the rows of a sweep at equal ID accuracy, from the predictions its runs stored.

    `reference`, `at` and what is raised: as in `frontier`. Rows without runs are left out.
    """
    trained = [row for row in rows if row.runs]
    found = measured_runs([run for row in trained for run in row.runs])
    points = [
        CurvePoint(row.row, row.name, row.values, [found[str(Path(run))] for run in row.runs])
        for row in trained
    ]
    return frontier(points, reference, at)


def read_frontier(folder: Path) -> FrontierResults | None:
    """Read the frontier of a sweep, None where it has none; raises DataError."""
    file = folder / FRONTIER
    return read_json(file, FrontierResults, "frontier") if file.exists() else None
