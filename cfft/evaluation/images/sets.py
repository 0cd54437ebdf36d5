"""The sets that models are measured on, each opened once for all models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from cfft.data.check import Unreadable, find_unreadable, readable, stored
from cfft.data.fingerprint import set_fingerprint
from cfft.data.images import passed_over_in
from cfft.data.passed_over import beside_the_sets
from cfft.data.sets import evaluation_sets
from cfft.data.suite import ImageSet, Suite
from cfft.errors import DataError, shortened_list
from cfft.runtime.processes import Processes
from cfft.runtime.progress import Reporter
from cfft.scoring.results import Role

Seed = int


@attrs.frozen(eq=False)
class MeasuredImages:
    """Hold a set with its role, and the seeds whose models are measured on it."""

    images: ImageSet
    role: Role
    seeds: frozenset[Seed]


@attrs.frozen(eq=False)
class SuiteView:
    """Hold everything that a suite gives for the seeds of an evaluation.

    `skipped`: unreadable images that were left out.
    """

    classes: tuple[str, ...]
    sets: tuple[MeasuredImages, ...]
    absent: Mapping[str, str]
    skipped: tuple[Unreadable, ...] = ()

    @property
    def passed_over(self) -> Mapping[str, Mapping[str, int]]:
        """What was left out among the images of each set, by reason; see ImageSet."""
        found = passed_over_in(each.images for each in self.sets)
        return {name: dict(passed) for name, passed in found.items()}

    def of(self, seed: Seed) -> list[MeasuredImages]:
        """Return the sets that a model of this seed is measured on, the ID set first."""
        return [each for each in self.sets if seed in each.seeds]

    def shifts(self, seed: Seed) -> dict[str, tuple[int, ...]]:
        """Return the classes of each OOD set by name."""
        shifted = (each.images for each in self.of(seed) if each.role == "ood")
        return {images.name: tuple(images.classes) for images in shifted}


def open_suite(suite: Suite, seeds: Sequence[Seed]) -> SuiteView:
    """Open the sets for each seed; sets with the same images are one.

    Splits are drawn from a run's seed: with another one it would be tested on images that it was
    trained on. Raises DataError.
    """
    opened = {seed: evaluation_sets(suite, seed) for seed in dict.fromkeys(seeds)}
    first = next(iter(opened.values()))
    shared: dict[tuple[str, str, str], MeasuredImages] = {}
    for seed, sets in opened.items():
        if not sets.present:
            missing = shortened_list(f"{name}: {why}" for name, why in sets.absent.items())
            raise DataError(f"none of the suite's sets is here ({missing})")
        for images in sets.present:
            role: Role = "id" if images is sets.test else "ood"
            key = (role, images.name, set_fingerprint(images))
            known = shared.get(key, MeasuredImages(images, role, frozenset()))
            shared[key] = attrs.evolve(known, seeds=known.seeds | {seed})
    ordered = sorted(shared.values(), key=lambda each: each.role != "id")
    return SuiteView(first.classes, tuple(ordered), dict(first.absent))


def unmeasured(suite: Suite, view: SuiteView) -> Iterator[str]:
    """Name sets with fewer images than were published, doubts of sets, and ignored folders."""
    expected = Suite.of(suite).expected()
    for images in (each.images for each in view.sets):
        published = expected.get(images.name)
        if published is not None and len(images) < published.images:
            yield (
                f"set '{images.name}' has {len(images):,} of {published.images:,} images; "
                "cfft data verify lists the missing ones"
            )
    doubts = (line for each in view.sets for line in ImageSet.of(each.images).doubts)
    yield from dict.fromkeys(doubts)
    for what, names, why in beside_the_sets(Suite.of(suite).unread()):
        yield f"ignored {what} ({why}): {names}"


def draws_test_set(suite: Suite, seed: Seed) -> bool:
    """Tell whether the test images depend on the seed; raises DataError."""
    tests = [evaluation_sets(suite, each).test for each in (seed, seed + 1)]
    return len({set_fingerprint(test) for test in tests if test is not None}) > 1


def measured_images(suite: Suite, seed: Seed) -> frozenset[tuple[Role, str, str]]:
    """Return role, name and a digest of the images of each set; raises DataError."""
    view = open_suite(suite, [seed])
    return frozenset(
        (each.role, each.images.name, set_fingerprint(each.images)) for each in view.sets
    )


def without_unreadable(view: SuiteView, processes: Processes, reporter: Reporter) -> SuiteView:
    """Decode every image and leave out those that fail; raises DataError where none is left.

    `processes` share the images out and all return the same.
    """
    sets = [each.images for each in view.sets]
    with reporter.task("checking images", sum(map(len, stored(sets)))) as advance:
        found = find_unreadable(sets, advance, processes)
    kept = [attrs.evolve(each, images=readable(each.images, found)) for each in view.sets]
    return attrs.evolve(view, sets=tuple(kept), skipped=tuple(found))
