"""Compare what there is of a set with what there should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import attrs

from cfft.data.images import whole_of
from cfft.data.suite import Expected, ImageSet
from cfft.errors import counted, shortened

_MOST_NAMED = 8


@attrs.frozen
class SetFinding:
    """Say what was found of one set.

    `role`: train, val, test or ood. `whole`: images of the set that this one is a part of, which
    is compared with `expected` where its first part stands; its own where it is no part.
    `classes`: labels that occur. `short`: classes that have fewer or more images than they
    should, with the images found. `faults`: what the set itself knows to be wrong, unless an
    earlier part of the same whole told it. `problems`: what the comparison shows, in words.
    """

    name: str
    role: str
    images: int
    whole: int
    classes: int
    expected: Expected | None
    short: tuple[tuple[str, int], ...]
    faults: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """Say everything that is wrong with the set; of many faults the first ones."""
        more = len(self.faults) - _MOST_NAMED
        rest = (f"{counted(more, 'more fault')}, which --json lists",) if more > 0 else ()
        said = (f"set '{self.name}': {problem}" for problem in (*rest, *self.problems))
        return (*self.faults[:_MOST_NAMED], *said)


def compare(
    sets: Sequence[tuple[str, ImageSet]], names: Sequence[str], expected: Mapping[str, Expected]
) -> Iterator[SetFinding]:
    """Compare each of `sets`, pairs of role and set; classes are called `names`.

    The whole that parts are drawn from is compared with the first of them.
    """
    compared: set[int] = set()
    told: set[str] = set()
    for role, images in sets:
        whole = whole_of(images)
        wanted = None if id(whole) in compared else expected.get(whole.name)
        faults = tuple(fault for fault in ImageSet.of(images).faults if fault not in told)
        compared.add(id(whole))
        told.update(faults)
        yield _finding(role, images, names, wanted, faults)


def _finding(
    role: str,
    images: ImageSet,
    names: Sequence[str],
    wanted: Expected | None,
    faults: tuple[str, ...],
) -> SetFinding:
    whole = whole_of(images)
    filled = role == "train" or wanted is not None or bool(faults)
    short = tuple(_short(whole, wanted, names)) if filled else ()
    untold = short if wanted or not faults else ()  # else the faults say why classes are empty
    return SetFinding(
        name=images.name,
        role=role,
        images=len(images),
        whole=len(whole),
        classes=len(set(images.labels)),
        expected=wanted,
        short=short,
        faults=faults,
        problems=tuple(_problems(whole, wanted, untold)),
    )


def _possible(images: ImageSet) -> set[int]:
    """Return the labels that may occur: what the classes of the set stand for."""
    stands_for = ImageSet.of(images).counts_as
    return {stands_for.get(label, label) for label in images.classes}


def _short(
    whole: ImageSet, expected: Expected | None, names: Sequence[str]
) -> Iterator[tuple[str, int]]:
    counts = Counter(whole.labels)
    complete = expected is not None and expected.classes == len(names)
    wanted = expected.per_class if expected else None
    for label in range(len(names)) if complete else sorted(_possible(whole)):
        if not counts[label] or counts[label] != (wanted or counts[label]):
            yield names[label], counts[label]


def _problems(
    whole: ImageSet, expected: Expected | None, short: Sequence[tuple[str, int]]
) -> Iterator[str]:
    if expected is not None:
        yield from _difference(len(whole), expected.images, "image", "images")
        yield from _difference(len(set(whole.labels)), expected.classes, "class", "classes")
    elif not len(whole) and not ImageSet.of(whole).faults:
        yield "it has no images"
    empty = [name for name, count in short if not count]
    if empty:
        yield f"no images of {shortened(empty, _MOST_NAMED)}"
    uneven = [f"{name} {count}" for name, count in short if count]
    if uneven and expected is not None:
        yield f"classes without {expected.per_class} images: {shortened(uneven, _MOST_NAMED)}"


def _difference(found: int, expected: int, one: str, many: str) -> Iterator[str]:
    if found < expected:
        lacking = expected - found
        are = "is" if lacking == 1 else "are"
        yield f"{found:,} of {counted(expected, one, many)}, {lacking:,} {are} missing"
    elif found > expected:
        surplus = found - expected
        yield f"{counted(found, one, many)}, {surplus:,} more than the {expected:,} expected"
