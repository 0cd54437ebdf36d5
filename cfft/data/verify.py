"""Compare what a suite finds with what it should find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from cfft.data.check import Unreadable
from cfft.data.copies import Copies, read_all
from cfft.data.pictures import PictureSubset, counts_as
from cfft.data.sets import evaluation_sets, training_sets
from cfft.errors import DataError
from cfft.interfaces import EvaluationSets, Expected, PictureSet, Suite, SuiteSets
from cfft.progress import Reporter, Silent

T = TypeVar("T")
_MOST_NAMED = 8
_TASK = "checking pictures"


@attrs.frozen
class SetFinding:
    """Say what was found of one set.

    `role`: train, val, test or ood. `whole`: pictures of the set that this one is a part of, which
    is compared with `expected` where its first part stands; its own where it is no part.
    `classes`: labels that occur. `short`: classes that have fewer or more pictures than they
    should, with the pictures found. `problems`: what is wrong, in words.
    """

    name: str
    role: str
    pictures: int
    whole: int
    classes: int
    expected: Expected | None
    short: tuple[tuple[str, int], ...]
    problems: tuple[str, ...]


@attrs.frozen
class Verification:
    """Hold what was found of a suite.

    `absent`: sets that should be there and are not, with what was looked for. `refused`: why sets
    could not be opened. `untrainable`: why there is nothing to train on where there is something
    to measure on. `copies`: pictures that occur more than once. `decoded`: whether pictures were
    read, without which `unreadable` and `copies` are empty.
    """

    sets: tuple[SetFinding, ...]
    absent: Mapping[str, str]
    refused: tuple[str, ...]
    untrainable: str | None
    unreadable: tuple[Unreadable, ...]
    copies: tuple[Copies, ...]
    decoded: bool

    @property
    def leaks(self) -> tuple[Copies, ...]:
        """Pictures that sets share which must not: of train, val, test and OOD sets."""
        return tuple(found for found in self.copies if found.is_leak)

    @property
    def problems(self) -> tuple[str, ...]:
        """Say what is wrong, one line each; absent sets are left to `absent`."""
        return (
            *self.refused,
            *(f"set '{s.name}': {problem}" for s in self.sets for problem in s.problems),
            *_counted(len(self.unreadable), "picture", "that cannot be read"),
            *_counted(len(self.leaks), "picture", "that sets share which must not"),
        )

    def record(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        return {
            "sets": [attrs.asdict(found) for found in self.sets],
            "absent": dict(self.absent),
            "untrainable": self.untrainable,
            "unreadable": [picture.record() for picture in self.unreadable],
            "copies": [
                {"leak": found.is_leak, "places": [attrs.asdict(place) for place in found.places]}
                for found in self.copies
            ],
            "decoded": self.decoded,
            "problems": list(self.problems),
        }


@attrs.frozen(eq=False)
class _Opened:
    """Hold the sets of a suite with their roles, and what kept others from being opened."""

    classes: tuple[str, ...]
    sets: tuple[tuple[str, PictureSet], ...]
    absent: Mapping[str, str]
    refused: tuple[str, ...] = ()
    untrainable: str | None = None


def verify(
    suite: Suite, seed: int, *, decode: bool = True, reporter: Reporter | None = None
) -> Verification:
    """Open every set of a suite, compare counts and, with `decode`, read every picture once.

    `seed`: the one that splits are drawn from. Sets that cannot be opened are reported, not raised;
    raises ConfigError for parameters of the suite that make no sense.
    """
    opened = _open(suite, seed)
    expected: Mapping[str, Expected] = getattr(suite, "expected", dict)()
    unreadable, copies = _read(opened, reporter or Silent()) if decode else ([], [])
    return Verification(
        sets=tuple(_findings(opened, expected)),
        absent={**_lacking(opened, expected), **opened.absent},
        refused=opened.refused,
        untrainable=opened.untrainable,
        unreadable=tuple(unreadable),
        copies=tuple(copies),
        decoded=decode,
    )


def _open(suite: Suite, seed: int) -> _Opened:
    trained, untrainable = _attempt(lambda: training_sets(suite, seed))
    if not hasattr(suite, "evaluation"):
        return _joined(trained, _measured(trained), untrainable, None)
    measured, unmeasured = _attempt(lambda: evaluation_sets(suite, seed))
    if measured is None:
        return _joined(trained, _measured(trained), unmeasured, None)
    return _joined(trained, measured, None, untrainable)


def _attempt(action: Callable[[], T]) -> tuple[T | None, str | None]:
    try:
        return action(), None
    except DataError as error:
        return None, str(error)


def _measured(trained: SuiteSets | None) -> EvaluationSets | None:
    return None if trained is None else EvaluationSets(trained.classes, trained.test, trained.ood)


def _joined(
    trained: SuiteSets | None,
    measured: EvaluationSets | None,
    refusal: str | None,
    untrainable: str | None,
) -> _Opened:
    refused = tuple(refusal.split("\n")) if refusal else ()
    if measured is None:
        return _Opened((), (), {}, refused)
    sets: list[tuple[str, PictureSet]] = []
    if trained is not None:
        sets += [("train", trained.train), ("val", trained.val)]
    if measured.test is not None:
        sets.append(("test", measured.test))
    sets += [("ood", pictures) for pictures in measured.ood]
    return _Opened(measured.classes, tuple(sets), measured.absent, refused, untrainable)


def _read(opened: _Opened, reporter: Reporter) -> tuple[list[Unreadable], list[Copies]]:
    """Read what is stored; pictures that are computed from others are as good as those."""
    stored = [(role, each) for role, each in opened.sets if not hasattr(each, "made_from")]
    reporter.started(_TASK, sum(len(pictures) for _, pictures in stored))
    found = read_all(stored, lambda done, _: reporter.advanced(_TASK, done))
    reporter.ended(_TASK)
    return found


def _lacking(opened: _Opened, expected: Mapping[str, Expected]) -> dict[str, str]:
    if opened.refused or opened.untrainable:  # EvaluationSets names what is absent itself
        return {}
    given = {name for _, each in opened.sets for name in (each.name, _whole(each).name)}
    return {name: "it was not found" for name in expected if name not in given}


def _findings(opened: _Opened, expected: Mapping[str, Expected]) -> Iterator[SetFinding]:
    """Compare each set; the whole that parts are drawn from is compared with the first of them."""
    compared: set[int] = set()
    for role, pictures in opened.sets:
        whole = _whole(pictures)
        wanted = None if id(whole) in compared else expected.get(whole.name)
        compared.add(id(whole))
        filled = role == "train" or wanted is not None
        short = tuple(_short(whole, wanted, opened.classes)) if filled else ()
        yield SetFinding(
            name=pictures.name,
            role=role,
            pictures=len(pictures),
            whole=len(whole),
            classes=len(set(pictures.labels)),
            expected=wanted,
            short=short,
            problems=tuple(_problems(whole, wanted, short)),
        )


def _whole(pictures: PictureSet) -> PictureSet:
    return _whole(pictures.whole) if isinstance(pictures, PictureSubset) else pictures


def _possible(pictures: PictureSet) -> set[int]:
    """Return the labels that may occur: what the classes of the set stand for."""
    stands_for = counts_as(pictures)
    return {stands_for.get(label, label) for label in pictures.classes}


def _short(
    whole: PictureSet, expected: Expected | None, names: Sequence[str]
) -> Iterator[tuple[str, int]]:
    counts = Counter(whole.labels)
    complete = expected is not None and expected.classes == len(names)
    wanted = expected.per_class if expected else None
    for label in range(len(names)) if complete else sorted(_possible(whole)):
        if not counts[label] or counts[label] != (wanted or counts[label]):
            yield names[label], counts[label]


def _problems(
    whole: PictureSet, expected: Expected | None, short: Sequence[tuple[str, int]]
) -> Iterator[str]:
    if expected is not None:
        yield from _difference(len(whole), expected.pictures, "pictures")
        yield from _difference(len(set(whole.labels)), expected.classes, "classes")
    empty = [name for name, count in short if not count]
    if empty:
        yield f"no pictures of {_named(empty)}"
    uneven = [f"{name} {count}" for name, count in short if count]
    if uneven and expected is not None:
        yield f"classes without {expected.per_class} pictures: {_named(uneven)}"


def _difference(found: int, expected: int, what: str) -> Iterator[str]:
    if found < expected:
        yield f"{found:,} of {expected:,} {what}, {expected - found:,} are missing"
    elif found > expected:
        yield f"{found:,} {what}, {found - expected:,} more than the {expected:,} expected"


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


def _counted(count: int, what: str, which: str) -> Iterator[str]:
    if count:
        yield f"{count:,} {what}{'' if count == 1 else 's'} {which}"
