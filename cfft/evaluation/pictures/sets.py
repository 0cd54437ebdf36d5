"""The sets that models are measured on: opened once each, whichever models share them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from cfft.data.check import Unreadable, find_unreadable, readable, stored
from cfft.data.sets import evaluation_sets, unread
from cfft.data.suite import EvaluationSets, Expected, PictureSet, Suite
from cfft.errors import DataError
from cfft.evaluation.compare.measured import Role, digest
from cfft.runtime.processes import Processes
from cfft.runtime.progress import Reporter

Seed = int


@attrs.frozen(eq=False)
class MeasuredPictures:
    """Hold a set with its role, and the seeds whose models are measured on it."""

    pictures: PictureSet
    role: Role
    seeds: frozenset[Seed]


@attrs.frozen(eq=False)
class SuiteView:
    """Hold everything that a suite gives for the seeds of an evaluation.

    `skipped`: unreadable pictures that were left out.
    """

    classes: tuple[str, ...]
    sets: tuple[MeasuredPictures, ...]
    absent: Mapping[str, str]
    skipped: tuple[Unreadable, ...] = ()

    def of(self, seed: Seed) -> list[MeasuredPictures]:
        """Return the sets that a model of this seed is measured on, the ID set first."""
        return [each for each in self.sets if seed in each.seeds]

    def shifts(self, seed: Seed) -> dict[str, tuple[int, ...]]:
        """Return the classes of each OOD set by name."""
        shifted = (each.pictures for each in self.of(seed) if each.role == "ood")
        return {pictures.name: tuple(pictures.classes) for pictures in shifted}


def open_suite(suite: Suite, seeds: Sequence[Seed]) -> SuiteView:
    """Open the sets for each seed; sets with the same pictures are one.

    Splits are drawn from a run's seed: with another one it would be tested on pictures that it was
    trained on. Raises DataError.
    """
    opened = {seed: evaluation_sets(suite, seed) for seed in dict.fromkeys(seeds)}
    first = next(iter(opened.values()))
    shared: dict[tuple[str, str, str], MeasuredPictures] = {}
    for seed, sets in opened.items():
        _require_any(sets)
        for pictures in sets.present:
            role: Role = "id" if pictures is sets.test else "ood"
            key = (role, pictures.name, _digest(pictures))
            known = shared.get(key, MeasuredPictures(pictures, role, frozenset()))
            shared[key] = attrs.evolve(known, seeds=known.seeds | {seed})
    ordered = sorted(shared.values(), key=lambda each: each.role != "id")
    return SuiteView(first.classes, tuple(ordered), dict(first.absent))


def unmeasured(suite: Suite, view: SuiteView) -> Iterator[str]:
    """Say which sets have fewer pictures than were published, and which folders belong to none."""
    expected: Mapping[str, Expected] = getattr(suite, "expected", dict)()
    for pictures in (each.pictures for each in view.sets):
        published = expected.get(pictures.name)
        if published is not None and len(pictures) < published.pictures:
            yield (
                f"set '{pictures.name}' has {len(pictures):,} of {published.pictures:,} pictures; "
                "cfft data verify says which are missing"
            )
    beside = unread(suite)
    if beside:
        yield f"not measured, as no set's folder is called so: {', '.join(beside)}"


def draws_test_set(suite: Suite, seed: Seed) -> bool:
    """Tell whether another seed than this one gives other test pictures; raises DataError."""
    tests = [evaluation_sets(suite, each).test for each in (seed, seed + 1)]
    return len({_digest(test) for test in tests if test is not None}) > 1


def measured_pictures(suite: Suite, seed: Seed) -> frozenset[tuple[Role, str, str]]:
    """Return role, name and a digest of the pictures of each set; raises DataError."""
    view = open_suite(suite, [seed])
    return frozenset((each.role, each.pictures.name, _digest(each.pictures)) for each in view.sets)


def without_unreadable(view: SuiteView, processes: Processes, reporter: Reporter) -> SuiteView:
    """Decode every picture and leave out those that fail; raises DataError where none is left.

    `processes` share the pictures out and all return the same.
    """
    sets = [each.pictures for each in view.sets]
    task = "checking pictures"
    reporter.started(task, sum(map(len, stored(sets))))
    found = find_unreadable(sets, _advance(reporter, task), processes)
    reporter.ended(task)
    kept = [attrs.evolve(each, pictures=readable(each.pictures, found)) for each in view.sets]
    return attrs.evolve(view, sets=tuple(kept), skipped=tuple(found))


def _advance(reporter: Reporter, task: str) -> Callable[[int, int], None]:
    return lambda done, _: reporter.advanced(task, done)


def _require_any(sets: EvaluationSets) -> None:
    if not sets.present:
        missing = "; ".join(f"{name}: {why}" for name, why in sets.absent.items())
        raise DataError(f"the suite has none of its sets here ({missing})")


def _digest(pictures: PictureSet) -> str:
    return digest(map(pictures.identify, range(len(pictures))), pictures.labels)
