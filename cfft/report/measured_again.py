"""Runs that `cfft eval` measured again: one model each, not two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from cfft.report.records import Model


def without_doubles(trained: Sequence[Model], measured: Sequence[Model]) -> list[Model]:
    """Return all models, of runs that were measured again on as many pictures the later ones.

    These say more. A measurement of fewer pictures stands beside the run's own. Those that take a
    run's place have the name of its configuration in this report, and so have the weight ensembles
    of the same evaluation.
    """
    doubles = [(run, own) for run in trained for own in measured if _is_same(run, own)]
    names = {(own.source, own.group): run.group for run, own in doubles}
    again = [run for run, _ in doubles]
    once = [run for run in trained if run not in again]
    return [*once, *(_named(own, names) for own in measured)]


def _is_same(run: Model, own: Model) -> bool:
    if run.origin is None or own.origin is None or own.alpha is not None:
        return False
    return _place(run.origin) == _place(own.origin) and all(
        name in own.sets and own.sets[name].n == found.n for name, found in run.sets.items()
    )


def _place(origin: str) -> Path:
    return Path(origin).resolve()


def _named(own: Model, names: Mapping[tuple[str, str], str]) -> Model:
    return attrs.evolve(own, group=names.get((own.source, own.group), own.group))
