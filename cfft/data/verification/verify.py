"""Open a suite set by set and tell what is missing or wrong, without stopping at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from cfft.data.check import Unreadable
from cfft.data.consistency import bad_names, contradiction
from cfft.data.images import whole_of
from cfft.data.suite import EvaluationSets, Expected, ImageSet, Suite, SuiteSets
from cfft.data.verification.copies import Copies, read_all
from cfft.data.verification.findings import SetFinding, compare
from cfft.errors import DataError, counted
from cfft.runtime.progress import Reporter, Silent

T = TypeVar("T")
_TASK = "checking images"


@attrs.frozen
class Verification:
    """Hold what was found of a suite.

    `absent`: sets that should be there and are not, with what was looked for. `refused`: sets that
    could not be opened or contradict themselves, with the reason. `failures`: what is wrong with
    the suite as a whole. `untrainable`: why there is nothing to train on where there is something
    to measure on. `unread`: what lies beside the sets and belongs to none. `copies`: images that
    occur more than once. `decoded`: whether images were read, without which `unreadable` and
    `copies` are empty.
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
        """Images that sets share which must not: of train, val, test and OOD sets."""
        return tuple(found for found in self.copies if found.is_leak)

    @property
    def contradictions(self) -> tuple[Copies, ...]:
        """Images that a set has under several labels: no problem of the files, yet worth a look.

        ImageNet has some itself.
        """
        return tuple(found for found in self.copies if found.is_contradiction)

    def problems_of(self, found: SetFinding) -> int:
        """Count what is wrong with a set: what it lacks, and its images."""
        unreadable = sum(each.images.name == found.name for each in self.unreadable)
        shared = sum(any(at.set == found.name for at in each.places) for each in self.leaks)
        return len(found.faults) + len(found.problems) + unreadable + shared

    @property
    def problems(self) -> tuple[str, ...]:
        """Say what is wrong, one line each; absent sets are left to `absent`."""
        reasons = dict.fromkeys(self.refused.values())
        return (
            *self.failures,
            *(line for reason in reasons for line in reason.splitlines()),
            *(line for found in self.sets for line in found.lines),
            *_images(len(self.unreadable), "that cannot be read"),
            *_images(len(self.leaks), "that sets share which must not"),
        )

    def record(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        return {
            "sets": [attrs.asdict(found) for found in self.sets],
            "absent": dict(self.absent),
            "refused": dict(self.refused),
            "failures": list(self.failures),
            "untrainable": self.untrainable,
            "unread": list(self.unread),
            "unreadable": [image.record() for image in self.unreadable],
            "copies": [
                {
                    "leak": found.is_leak,
                    "contradiction": found.is_contradiction,
                    "places": [attrs.asdict(place) for place in found.places],
                }
                for found in self.copies
            ],
            "decoded": self.decoded,
            "problems": list(self.problems),
        }


@attrs.frozen(eq=False)
class _Opened:
    """Hold the sets of a suite with their roles, and what kept others from being opened."""

    classes: tuple[str, ...] = ()
    sets: tuple[tuple[str, ImageSet], ...] = ()
    absent: Mapping[str, str] = attrs.field(factory=dict)
    refused: Mapping[str, str] = attrs.field(factory=dict)
    failures: tuple[str, ...] = ()
    untrainable: str | None = None


def verify(
    suite: Suite, seed: int, *, decode: bool = True, reporter: Reporter | None = None
) -> Verification:
    """Open every set of a suite, compare counts and, with `decode`, read every image once.

    `seed`: the one that splits are drawn from. Sets that cannot be opened are reported, not raised;
    raises ConfigError for parameters of the suite that make no sense.
    """
    opened = _open(suite, seed)
    expected = Suite.of(suite).expected()
    unreadable, copies = _read(opened, reporter or Silent()) if decode else ([], [])
    return Verification(
        sets=tuple(compare(opened.sets, opened.classes, expected)),
        absent={**_lacking(opened, expected), **opened.absent},
        refused=opened.refused,
        failures=opened.failures,
        untrainable=opened.untrainable,
        unread=tuple(Suite.of(suite).unread()),
        unreadable=tuple(unreadable),
        copies=tuple(copies),
        decoded=decode,
    )


def _open(suite: Suite, seed: int) -> _Opened:
    trained, untrainable = _attempt(lambda: suite.open(seed))
    measured, unmeasured = _attempt(lambda: Suite.of(suite).evaluation(seed))
    failure = None if measured else unmeasured or untrainable
    if measured is None and trained is not None:
        measured = trained.for_evaluation()
    if measured is None:
        return _Opened(failures=failure.problems if failure else ())
    reason = str(untrainable) if untrainable and not failure else None
    failures = failure.problems if failure else ()
    sets = [*_with_roles(trained, measured)]
    contradictory = dict(_contradictory(sets, len(measured.classes)))
    refused = {**(trained.refused if trained else {}), **measured.refused, **contradictory}
    return _Opened(
        classes=measured.classes,
        sets=tuple(pair for pair in sets if pair[1].name not in contradictory),
        absent=measured.absent,
        refused=refused,
        failures=(*failures, *bad_names(measured)),
        untrainable=None if reason in refused.values() else reason,
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


def _contradictory(sets: Sequence[tuple[str, ImageSet]], known: int) -> Iterator[tuple[str, str]]:
    """Name the sets that cannot even be counted, with the reason; one without images can."""
    for _, images in sets:
        reason = contradiction(images, known) if len(images) else None
        if reason is not None:
            yield images.name, f"set '{images.name}' {reason}"


def _read(opened: _Opened, reporter: Reporter) -> tuple[list[Unreadable], list[Copies]]:
    """Read what is stored; images that are computed from others are as good as those."""
    stored = [(role, each) for role, each in opened.sets if ImageSet.of(each).made_from is None]
    total = sum(len(images) for _, images in stored)
    if not total:
        return [], []
    with reporter.task(_TASK, total) as advance:
        return read_all(stored, advance)


def _lacking(opened: _Opened, expected: Mapping[str, Expected]) -> dict[str, str]:
    if "train" not in dict(opened.sets):
        return {}  # EvaluationSets names what is absent itself
    given = {name for _, each in opened.sets for name in (each.name, whole_of(each).name)}
    given.update(opened.refused)
    return {name: "it was not found" for name in expected if name not in given}


def _images(count: int, which: str) -> Iterator[str]:
    if count:
        yield f"{counted(count, 'image')} {which}"
