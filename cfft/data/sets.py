"""Sets of a suite to train and measure models on, checked before use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from cfft.data.consistency import every_set, inconsistencies
from cfft.data.fingerprint import set_fingerprint
from cfft.data.images import ImageSubset
from cfft.data.splits import stratified_subset
from cfft.data.suite import EvaluationSets, ImageSet, Suite, SuiteSets
from cfft.errors import DataError, counted, returned, unknown_name
from cfft.plugin.params import declaration

_TRAIN, _TEST = "train", "test"
_MOST_NAMED = 8


def training_sets(suite: Suite, seed: int) -> SuiteSets:
    """Return what `suite` trains models on, with splits drawn from `seed`; see Suite.

    Raises DataError with the faults of all sets and the reasons why others could not be opened, and
    for sets that contradict themselves.
    """
    sets = returned(suite, "open", suite.open(seed), SuiteSets)
    _require_sound(suite, sets)
    return sets


_EVALUATED = 0  # the seed of the images that are measured: the same ones in runs of all seeds


def limited(
    sets: SuiteSets, limit: int | None, seed: int, measured: int | None = None
) -> SuiteSets:
    """Return the sets with at most `limit` training images, drawn by class; None: all of them.

    `measured`: how many images of each other set at most; whatever the seed, they are the same.
    """
    train = sets.train
    if limit is not None and limit < len(train):
        train = _subset(train, stratified_subset(train.labels, limit, seed))
    return attrs.evolve(
        sets,
        train=train,
        val=_measured(sets.val, measured),
        test=_measured(sets.test, measured),
        ood=tuple(_measured(images, measured) for images in sets.ood),
    )


def _measured(images: ImageSet, limit: int | None) -> ImageSet:
    if limit is None or limit >= len(images):
        return images
    return _subset(images, stratified_subset(images.labels, limit, _EVALUATED, every_class=False))


def _subset(images: ImageSet, indices: Sequence[int]) -> ImageSet:
    return ImageSubset(whole=images, indices=tuple(indices), name=images.name)


def evaluation_sets(suite: Suite, seed: int) -> EvaluationSets:
    """Return what `suite` measures models on, with splits drawn from `seed`; see Suite.

    Only the seed of a run gives the same images again. Raises DataError as `training_sets` does.
    """
    found = Suite.of(suite).evaluation(seed)
    if found is None:
        return training_sets(suite, seed).for_evaluation()
    _require_sound(suite, found)
    return found


def damage(sets: SuiteSets | EvaluationSets) -> list[str]:
    """List the faults of sets and the reasons why others were refused, each once."""
    faults = [fault for images in every_set(sets) for fault in ImageSet.of(images).faults]
    return list(dict.fromkeys([*faults, *sets.refused.values()]))


def named_sets(
    suite: Suite, seed: int, names: Iterable[str]
) -> tuple[tuple[str, ...], list[ImageSet]]:
    """Return the class names of a suite, and its sets of these `names`, each once.

    "train" is also the training set and "test" the ID test set. Raises DataError for a set that is
    absent or unknown.
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
    raise DataError(unknown_name("set", name, [_TRAIN, *by_name, *found.absent]))


def _require_sound(suite: Suite, sets: SuiteSets | EvaluationSets) -> None:
    """Raise DataError, for damage first: a set may contradict itself because of it."""
    faults = damage(sets)
    first, rest = faults[:_MOST_NAMED], faults[_MOST_NAMED:]
    if rest:
        more = counted(len(rest), "more fault")
        first.append(f"{more}, which cfft data verify --json lists")
    if first:
        raise DataError(*first)
    if problem := next(inconsistencies(sets), None):
        raise DataError(f"suite '{declaration(type(suite)).name}': {problem}")
