"""Runs that `cfft eval` measured again: one model each, not two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from cfft.report.records import Model


def without_doubles(trained: Sequence[Model], measured: Sequence[Model]) -> list[Model]:
    """Return all models, of runs that were measured again on all their sets the later ones.

    These say more. They have the name of the run's configuration in this report, and so have the
    weight ensembles of the same evaluation.
    """
    doubles = [(run, own) for run in trained for own in measured if _is_same(run, own)]
    names = {(own.source, own.group): run.group for run, own in doubles}
    again = [run for run, _ in doubles]
    once = [run for run in trained if run not in again]
    return [*once, *(_named(own, names) for own in measured)]


def _is_same(run: Model, own: Model) -> bool:
    if run.origin is None or own.origin is None or own.alpha is not None:
        return False
    return _place(run.origin) == _place(own.origin) and run.sets.keys() <= own.sets.keys()


def _place(origin: str) -> Path:
    return Path(origin).resolve()


def _named(own: Model, names: Mapping[tuple[str, str], str]) -> Model:
    return attrs.evolve(own, group=names.get((own.source, own.group), own.group))
