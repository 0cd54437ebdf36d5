"""The sets that a suite gives to train and to measure models on, once they are sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from cfft.data.consistency import every_set, inconsistencies
from cfft.data.fingerprint import set_fingerprint
from cfft.data.images import ImageSubset
from cfft.data.splits import stratified_subset
from cfft.data.suite import EvaluationSets, ImageSet, Suite, SuiteSets
from cfft.errors import DataError, counted, unknown
from cfft.plugin.params import declaration

_TRAIN, _TEST = "train", "test"
_MOST_NAMED = 8


def training_sets(suite: Suite, seed: int) -> SuiteSets:
    """Return what `suite` trains models on; see Suite.

    `seed`: the one that splits are drawn from. Raises DataError that names the faults of all sets
    and why others could not be opened, and for a suite whose sets contradict themselves.
    """
    sets = suite.open(seed)
    _require_sound(suite, sets)
    return sets


def limited(sets: SuiteSets, limit: int | None, seed: int) -> SuiteSets:
    """Return the sets with at most `limit` training images, drawn by class; None: all of them."""
    train = sets.train
    if limit is None or limit >= len(train):
        return sets
    indices = tuple(stratified_subset(train.labels, limit, seed))
    return attrs.evolve(sets, train=ImageSubset(whole=train, indices=indices, name=train.name))


def evaluation_sets(suite: Suite, seed: int) -> EvaluationSets:
    """Return what `suite` measures models on; see Suite.

    `seed`: the one that splits are drawn from; a run is measured again on the same images only
    with its own. Raises DataError as `training_sets` does.
    """
    found = Suite.of(suite).evaluation(seed)
    if found is None:
        return training_sets(suite, seed).for_evaluation()
    _require_sound(suite, found)
    return found


def damage(sets: SuiteSets | EvaluationSets) -> list[str]:
    """Say what is wrong with sets on disk, each once: their faults, and why others are refused."""
    faults = [fault for images in every_set(sets) for fault in ImageSet.of(images).faults]
    return list(dict.fromkeys([*faults, *sets.refused.values()]))


def named_sets(
    suite: Suite, seed: int, names: Iterable[str]
) -> tuple[tuple[str, ...], list[ImageSet]]:
    """Return the class names of a suite, and its sets of these `names`, each once.

    Besides the sets' own names, "train" is the training set and "test" the ID test set. Raises
    DataError for a set that is absent or unknown.
    """
    found = evaluation_sets(suite, seed)
    return found.classes, [_named(name, found, suite, seed) for name in dict.fromkeys(names)]


def set_that_differs(suite: Suite, seeds: Iterable[int], names: Iterable[str]) -> str | None:
    """Return the first of the sets of these `names` whose images depend on the seed, else None.

    Raises as `named_sets` does.
    """
    wanted = list(names)
    opened = [named_sets(suite, seed, wanted)[1] for seed in seeds]
    for first, *others in zip(*opened, strict=True):
        if len(set(map(set_fingerprint, (first, *others)))) > 1:
            return str(first.name)
    return None


def _named(name: str, found: EvaluationSets, suite: Suite, seed: int) -> ImageSet:
    by_name = {images.name: images for images in found.present}
    if found.test is not None:
        by_name.setdefault(_TEST, found.test)
    if name == _TRAIN and name not in by_name:
        return training_sets(suite, seed).train
    if name in by_name:
        return by_name[name]
    if name in found.absent:
        raise DataError(f"set '{name}' is absent: {found.absent[name]}")
    raise DataError(unknown("set", name, [_TRAIN, *by_name, *found.absent]))


def _first(faults: Sequence[str]) -> Iterator[str]:
    """Give the first faults, and how many more there are: a half-copied set has thousands."""
    yield from faults[:_MOST_NAMED]
    if len(faults) > _MOST_NAMED:
        more = counted(len(faults) - _MOST_NAMED, "more fault")
        yield f"{more}, which cfft data verify with --json lists"


def _require_sound(suite: Suite, sets: SuiteSets | EvaluationSets) -> None:
    """Raise DataError, for damage first: a set may contradict itself because of it."""
    damaged = damage(sets)
    if damaged:
        raise DataError(*_first(damaged))
    problem = next(inconsistencies(sets), None)
    if problem is not None:
        raise DataError(f"suite '{declaration(type(suite)).name}': {problem}")
