"""The sets that a suite gives to measure models on."""

from __future__ import annotations

from collections.abc import Iterable

from cfft.errors import DataError, unknown
from cfft.interfaces import EvaluationSets, PictureSet, Suite, SuiteSets

_TRAIN, _TEST = "train", "test"


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


def named_sets(
    suite: Suite, seed: int, names: Iterable[str]
) -> tuple[tuple[str, ...], list[PictureSet]]:
    """Return the class names of a suite, and its sets of these `names`, each once.

    Besides the sets' own names, "train" is the training set and "test" the ID test set. Raises
    DataError for a set that is absent or unknown.
    """
    found = evaluation_sets(suite, seed)
    return found.classes, [_named(name, found, suite, seed) for name in dict.fromkeys(names)]


def _named(name: str, found: EvaluationSets, suite: Suite, seed: int) -> PictureSet:
    by_name = {pictures.name: pictures for pictures in found.present}
    if found.test is not None:
        by_name.setdefault(_TEST, found.test)
    if name == _TRAIN and name not in by_name:
        return suite.open(seed).train
    if name in by_name:
        return by_name[name]
    if name in found.absent:
        raise DataError(f"set '{name}' is absent: looked for {found.absent[name]}")
    raise DataError(unknown("set", name, [_TRAIN, *by_name, *found.absent]))
