"""Open a suite set by set and collect everything that is missing or wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from cfft.data.check import Unreadable
from cfft.data.consistency import alike_names, bad_names, contradiction, one_to_a_text_tower
from cfft.data.images import whole_of
from cfft.data.suite import EvaluationSets, ImageSet, Suite, SuiteSets
from cfft.data.verification.copies import Copies, read_all
from cfft.data.verification.findings import SetFinding, compare
from cfft.errors import DataError, counted
from cfft.runtime.json_files import as_json
from cfft.runtime.progress import Reporter, Silent

T = TypeVar("T")
Sets = Sequence[tuple[str, ImageSet]]
_TASK = "checking images"


@attrs.frozen
class Verification:
    """Hold what was found of a suite.

    `absent`: missing sets, with what was looked for. `refused`: sets that could not be opened or
    contradict themselves, with the reason. `failures`: problems of the suite as a whole.
    `untrainable`: why a suite can only be measured on. `unread`: folders beside the sets that
    belong to none. `copies`: images that occur more than once. `decoded`: whether images were
    read; if not, `unreadable` and `copies` are empty.
    """

    sets: tuple[SetFinding, ...]
    absent: Mapping[str, str]
    refused: Mapping[str, str]
    failures: tuple[str, ...]
    untrainable: str | None
    unread: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]
    copies: tuple[Copies, ...]
    decoded: bool

    @property
    def leaks(self) -> tuple[Copies, ...]:
        """List the images that train, val, test and OOD sets share."""
        return tuple(found for found in self.copies if found.is_leak)

    @property
    def contradictions(self) -> tuple[Copies, ...]:
        """List the images that a set has under several labels, as ImageNet does: no problem."""
        return tuple(found for found in self.copies if found.is_contradiction)

    def problems_of(self, found: SetFinding) -> int:
        """Count the problems of a set and of its images."""
        unreadable = sum(each.images.name == found.name for each in self.unreadable)
        shared = sum(any(at.set == found.name for at in each.places) for each in self.leaks)
        return len(found.faults) + len(found.problems) + unreadable + shared

    @property
    def problems(self) -> tuple[str, ...]:
        """List every problem but absent sets in one line each."""
        reasons = dict.fromkeys(self.refused.values())
        return (
            *self.failures,
            *(line for reason in reasons for line in reason.splitlines()),
            *(line for found in self.sets for line in found.lines),
            *_images(len(self.unreadable), "cannot", "cannot", "be read"),
            *_images(len(self.leaks), "is", "are", "shared by sets that must be disjoint"),
        )

    def record(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        return {
            **attrs.asdict(self, recurse=False),
            "sets": [as_json(found) for found in self.sets],
            "unreadable": [image.record() for image in self.unreadable],
            "copies": [
                {
                    "leak": found.is_leak,
                    "contradiction": found.is_contradiction,
                    "places": [as_json(place) for place in found.places],
                }
                for found in self.copies
            ],
            "problems": self.problems,
            "warnings": [doubt for found in self.sets for doubt in found.doubts],
        }


def verify(
    suite: Suite, seed: int, *, decode: bool = True, reporter: Reporter | None = None
) -> Verification:
    """Open every set of a suite, compare counts and, with `decode`, read every image once.

    `seed`: the one that splits are drawn from. Raises ConfigError for impossible parameters of the
    suite; everything else that is wrong is part of the result.
    """
    trained, untrainable = _attempt(lambda: suite.open(seed))
    measured, unmeasured = _attempt(lambda: Suite.of(suite).evaluation(seed))
    failure = None if measured else unmeasured or untrainable
    if measured is None:
        measured = trained.for_evaluation() if trained else EvaluationSets((), None)
    opened = list(_with_roles(trained, measured))
    contradictory = {
        images.name: f"set '{images.name}' {reason}"
        for _, images in opened
        if len(images) and (reason := contradiction(images, len(measured.classes)))
    }
    refused = {**(trained.refused if trained else {}), **measured.refused, **contradictory}
    reason = str(untrainable) if untrainable and not failure else None
    sets = [pair for pair in opened if pair[1].name not in contradictory]
    expected = Suite.of(suite).expected()
    unreadable, copies = _read(sets, reporter or Silent()) if decode else ([], [])
    return Verification(
        sets=tuple(compare(sets, measured.classes, expected)),
        absent={**_lacking(sets, expected, refused), **measured.absent},
        refused=refused,
        failures=(
            *(failure.problems if failure else ()),
            *bad_names(measured),
            *map(one_to_a_text_tower, alike_names(measured.classes, Suite.of(suite).shared_names)),
        ),
        untrainable=None if reason in refused.values() else reason,
        unread=tuple(Suite.of(suite).unread()),
        unreadable=tuple(unreadable),
        copies=tuple(copies),
        decoded=decode,
    )


def _attempt(action: Callable[[], T]) -> tuple[T | None, DataError | None]:
    try:
        return action(), None
    except DataError as error:
        return None, error


def _with_roles(
    trained: SuiteSets | None, measured: EvaluationSets
) -> Iterator[tuple[str, ImageSet]]:
    if trained is not None:
        yield from (("train", trained.train), ("val", trained.val))
    if measured.test is not None:
        yield "test", measured.test
    yield from (("ood", images) for images in measured.ood)


def _read(sets: Sets, reporter: Reporter) -> tuple[list[Unreadable], list[Copies]]:
    stored = [(role, each) for role, each in sets if ImageSet.of(each).made_from is None]
    total = sum(len(images) for _, images in stored)
    if not total:
        return [], []
    with reporter.task(_TASK, total) as advance:
        return read_all(stored, advance)


def _lacking(sets: Sets, expected: Iterable[str], refused: Mapping[str, str]) -> dict[str, str]:
    if "train" not in dict(sets):
        return {}  # EvaluationSets names what is absent itself
    given = {name for _, each in sets for name in (each.name, whole_of(each).name)}
    return {name: "it was not found" for name in expected if name not in given | refused.keys()}


def _images(count: int, one: str, many: str, rest: str) -> Iterator[str]:
    if count:
        yield f"{counted(count, f'image {one}', f'images {many}')} {rest}"
