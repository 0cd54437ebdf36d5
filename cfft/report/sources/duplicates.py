"""Models of runs that `cfft eval` measured again: one model each, not two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from cfft.report.sources.records import Model


def without_doubles(trained: Sequence[Model], measured: Sequence[Model]) -> list[Model]:
    """Return all models, of runs that were measured again on as many images the later ones.

    These say more. A measurement of fewer images stands beside the run's own, and so does one
    that does not say which run it is of, as in older evaluations. Those that take a run's place
    have the name of its configuration in this report, and so have the weight ensembles of the same
    evaluation. The model before a run is known again by its accuracies.
    """
    doubles = [(run, own) for run in trained for own in measured if _is_same(run, own)]
    names = {(own.source, own.group): run.group for run, own in doubles}
    again = [run for run, _ in doubles]
    once = [run for run in trained if run not in again]
    return [*once, *(_named(own, names) for own in measured)]


def _is_same(run: Model, own: Model) -> bool:
    if own.alpha is not None or run.is_start != own.is_start:
        return False
    pairs = [(found, own.sets.get(name)) for name, found in run.sets.items()]
    if not all(again is not None and again.n == found.n for found, again in pairs):
        return False
    if run.is_start:  # which model it was, nobody wrote down
        return all(again is not None and again.top1 == found.top1 for found, again in pairs)
    return run.run_digest is not None and _run(run) == _run(own)


def _run(model: Model) -> tuple[str | None, str | None, int | None]:
    return model.run_digest, model.configuration, model.seed


def _named(own: Model, names: Mapping[tuple[str, str], str]) -> Model:
    return attrs.evolve(own, group=names.get((own.source, own.group), own.group))
