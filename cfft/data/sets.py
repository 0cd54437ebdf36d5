"""The sets that a suite gives to measure models on."""

from __future__ import annotations

from cfft.interfaces import EvaluationSets, Suite, SuiteSets


def evaluation_sets(suite: Suite, seed: int) -> EvaluationSets:
    """Return what `suite` measures models on; see Suite.

    `seed`: the one that splits are drawn from; a run is measured again on the same pictures only
    with its own. Raises DataError.
    """
    measured = getattr(suite, "evaluation", None)
    if measured is not None:
        found: EvaluationSets = measured(seed)
        return found
    sets: SuiteSets = suite.open(seed)
    return EvaluationSets(sets.classes, sets.test, sets.ood)
