"""Sweeps on disk: their runs, called as their rows are, and their frontiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from cfft.evaluation.frontier import read_frontier
from cfft.report.sources.records import FrontierSource, Material
from cfft.runtime.json_files import read_json
from cfft.training.sweep.outcome import SWEEP, SweepResults


def is_sweep(path: Path) -> bool:
    """Tell whether a directory is that of a sweep whose runs are finished."""
    return (path / SWEEP).is_file()


def sweep_runs(sweeps: Sequence[Path]) -> dict[Path, str]:
    """Return the runs of sweeps, each with its name in the sweep's table; raises DataError."""
    return {
        run: row.name
        for sweep in sweeps
        for row in read_json(sweep / SWEEP, SweepResults, "sweep").rows
        for run in row.places(sweep)
    }


def read_frontiers(sweeps: Sequence[Path]) -> Iterator[FrontierSource]:
    """Go through the frontiers of sweeps that have one; raises DataError."""
    found = {path: frontier for path in sweeps if (frontier := read_frontier(path)) is not None}
    for path, frontier in found.items():
        yield FrontierSource(frontier, f" ({path})" if len(found) > 1 else "")


def called_as_in_sweeps(material: Material, names: Mapping[Path, str]) -> Material:
    """Return runs and their models with the groups `names`, by directory; others as they are."""
    called = {str(path): name for path, name in names.items()}
    groups = {
        model.label: called[model.source]
        for model in material.models
        if model.is_run and model.source in called
    }
    return attrs.evolve(
        material,
        models=tuple(
            attrs.evolve(model, group=groups.get(model.label, model.group))
            for model in material.models
        ),
        runs=tuple(
            attrs.evolve(run, group=groups.get(run.label, run.group)) for run in material.runs
        ),
    )
