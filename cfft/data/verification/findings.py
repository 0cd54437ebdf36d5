"""Compare sets with the sizes that they should have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import attrs
from cattrs.gen import override

from cfft.data.images import whole_of
from cfft.data.suite import Expected, ImageSet
from cfft.errors import counted, shortened_list

_MOST_NAMED = 8


@attrs.frozen
class SetFinding:
    """Hold what was found of one set.

    `role`: train, val, test or ood. `whole`: number of images in the set that this one is a part
    of, which is compared with `expected` at its first part. `classes`: number of labels that
    occur. `short`: classes with a wrong number of images, and that number. `faults` and `doubts`:
    see ImageSet; each is listed once. `problems`: the differences from `expected`, in words.
    `passed_over`: see ImageSet; of the whole, at its first part.
    """

    name: str
    role: str
    images: Annotated[int, override(rename="pictures")]  # in JSON
    whole: int
    classes: int
    expected: Expected | None
    short: tuple[tuple[str, int], ...]
    faults: tuple[str, ...]
    problems: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    passed_over: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def lines(self) -> tuple[str, ...]:
        """List everything that is wrong with the set; of many faults the first ones."""
        more = len(self.faults) - _MOST_NAMED
        rest = (f"{counted(more, 'more fault')}, which --json lists",) if more > 0 else ()
        own = (f"set '{self.name}': {problem}" for problem in (*rest, *self.problems))
        return (*self.faults[:_MOST_NAMED], *own)


def compare(
    sets: Sequence[tuple[str, ImageSet]], names: Sequence[str], expected: Mapping[str, Expected]
) -> Iterator[SetFinding]:
    """Compare each of `sets`, pairs of role and set; classes are called `names`.

    The whole that parts are drawn from is compared with the first of them.
    """
    compared: set[int] = set()
    told: set[str] = set()
    counted_in: set[str] = set()  # a whole may have been opened twice
    for role, images in sets:
        whole = whole_of(images)
        wanted = None if id(whole) in compared else expected.get(whole.name)
        passed = {} if whole.name in counted_in else dict(ImageSet.of(whole).passed_over)
        faults = tuple(fault for fault in ImageSet.of(images).faults if fault not in told)
        doubts = tuple(doubt for doubt in ImageSet.of(images).doubts if doubt not in told)
        compared.add(id(whole))
        told.update(faults, doubts)
        counted_in.add(whole.name)
        filled = role == "train" or wanted is not None or bool(faults)
        short = tuple(_short(whole, wanted, names)) if filled else ()
        untold = short if wanted or not faults else ()  # else the faults say why classes are empty
        yield SetFinding(
            name=images.name,
            role=role,
            images=len(images),
            whole=len(whole),
            classes=len(set(images.labels)),
            expected=wanted,
            short=short,
            faults=faults,
            problems=tuple(_problems(whole, wanted, untold)),
            doubts=doubts,
            passed_over=passed,
        )


def _short(
    whole: ImageSet, expected: Expected | None, names: Sequence[str]
) -> Iterator[tuple[str, int]]:
    counts = Counter(whole.labels)
    complete = expected is not None and expected.classes == len(names)
    wanted = expected.per_class if expected else None
    stands_for = ImageSet.of(whole).counts_as
    possible = sorted({stands_for.get(label, label) for label in whole.classes})
    for label in range(len(names)) if complete else possible:
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
        yield f"no images of {shortened_list(empty, _MOST_NAMED)}"
    uneven = [f"{name} {count}" for name, count in short if count]
    if uneven and expected is not None:
        yield f"classes without {expected.per_class} images: {shortened_list(uneven, _MOST_NAMED)}"


def _difference(found: int, expected: int, one: str, many: str) -> Iterator[str]:
    if found < expected:
        are = "is" if found == expected - 1 else "are"
        yield f"{found:,} of {counted(expected, one, many)}, {expected - found:,} {are} missing"
    elif found > expected:
        more = f"{found - expected:,} more than the {expected:,} expected"
        yield f"{counted(found, one, many)}, {more}"
