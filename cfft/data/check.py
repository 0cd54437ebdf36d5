"""Find pictures that cannot be read before training starts, not in its third hour."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import attrs

from cfft.data.pictures import FilePictures, PictureSubset, picture_fault
from cfft.data.suite import ComputedPictureSet, PictureSet, SuiteSets
from cfft.errors import DataError, several
from cfft.runtime.processes import ALONE, Processes

T = TypeVar("T")
Progress = Callable[[int, int], None]
_CHUNK = 64  # pictures per task: a future for each of a million would cost a gigabyte


@attrs.frozen(eq=False)
class Unreadable:
    """Name a picture that cannot be read: picture `index` of a set."""

    pictures: PictureSet = attrs.field(repr=False)
    index: int
    path: str
    reason: str

    def record(self) -> dict[str, str]:
        """Return what results.json says of it."""
        return {"set": self.pictures.name, "path": self.path, "reason": self.reason}


def check_suite(
    suite: SuiteSets,
    skip: bool = False,
    progress: Progress | None = None,
    processes: Processes = ALONE,
) -> tuple[SuiteSets, list[Unreadable]]:
    """Decode every picture of a suite; return the suite without unreadable ones, and those.

    `progress` and `processes` as in `find_unreadable`. Raises DataError that lists every unreadable
    picture, unless `skip`; with it, where a training class or a whole set has none left.
    """
    sets = (suite.train, suite.val, suite.test, *suite.ood)
    found = find_unreadable(sets, progress, processes)
    if found and not skip:
        raise DataError(several(_lines(found)))
    train, val, test, *ood = (readable(pictures, found) for pictures in sets)
    _require_classes(suite.train, train, suite.classes)
    return attrs.evolve(suite, train=train, val=val, test=test, ood=tuple(ood)), found


def find_unreadable(
    sets: Sequence[PictureSet], progress: Progress | None = None, processes: Processes = ALONE
) -> list[Unreadable]:
    """Decode every picture of `stored(sets)` in threads and return those that fail, in order.

    `processes` share the pictures out and all return the same. `progress(done, total)` is called
    in the caller's thread, in pictures.
    """
    on_disk = stored(sets)
    places = {id(pictures): place for place, pictures in enumerate(on_disk)}
    own = [
        (places[id(pictures)], index, path, reason)
        for pictures, index, (path, reason) in look_at(on_disk, fault, progress, processes)
        if reason
    ]
    found = sorted(processes.join(own))
    return [Unreadable(on_disk[place], *picture) for place, *picture in found]


def stored(sets: Iterable[PictureSet]) -> tuple[PictureSet, ...]:
    """Return the sets that lie on disk, each once; computed ones stand for what they come from.

    Whoever has decoded these knows of all `sets` which pictures cannot be read.
    """
    return tuple({id(origin): origin for origin in map(_origin, sets)}.values())


def look_at(
    sets: Sequence[PictureSet],
    look: Callable[[PictureSet, int], T],
    progress: Progress | None = None,
    processes: Processes = ALONE,
) -> Iterator[tuple[PictureSet, int, T]]:
    """Call `look(pictures, index)` in threads for every picture of this process's share.

    Yields what it returns, in order. `progress(done, total)` is called in the caller's thread, in
    pictures, as if the other processes were as far.
    """
    everything = list(_chunks(sets))
    total = sum(len(indices) for _, indices in everything)
    chunks = processes.share(everything)
    done = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            seen = pool.map(partial(_look, look), chunks)
            for (pictures, indices), results in zip(chunks, seen, strict=True):
                yield from ((pictures, *pair) for pair in zip(indices, results, strict=True))
                done += len(indices) * processes.count
                if progress:
                    progress(min(done, total), total)
        finally:
            pool.shutdown(cancel_futures=True)  # or Ctrl-C would wait for every picture


def _chunks(sets: Sequence[PictureSet]) -> Iterator[tuple[PictureSet, range]]:
    for pictures in {id(pictures): pictures for pictures in sets}.values():
        everything = range(len(pictures))
        for start in range(0, len(pictures), _CHUNK):
            yield pictures, everything[start : start + _CHUNK]


def _look(look: Callable[[PictureSet, int], T], chunk: tuple[PictureSet, range]) -> list[T]:
    pictures, indices = chunk
    return [look(pictures, index) for index in indices]


def fault(pictures: PictureSet, index: int) -> tuple[str, str | None]:
    """Return where a picture lies, and why it cannot be read or None."""
    if isinstance(pictures, PictureSubset):
        return fault(pictures.whole, pictures.indices[index])
    if isinstance(pictures, FilePictures):
        path = pictures.root / pictures.paths[index]
        return str(path), picture_fault(path)
    try:
        pictures.read(index)
    except DataError as error:
        return pictures.identify(index), str(error)
    return pictures.identify(index), None


def _lines(found: Sequence[Unreadable]) -> Iterator[str]:
    yield f"unreadable pictures: {len(found)}; mend, remove or skip them (--skip-unreadable)"
    for picture in found:
        yield f"set '{picture.pictures.name}': {picture.path}: {picture.reason}"


def readable(pictures: PictureSet, found: Sequence[Unreadable]) -> PictureSet:
    """Return a set without the pictures that were found unreadable; DataError if none is left."""
    origin = _origin(pictures)
    bad = {picture.index for picture in found if picture.pictures is origin}
    if not bad:
        return pictures
    kept = tuple(i for i, place in enumerate(_originals(pictures)) if place not in bad)
    if not kept:
        raise DataError(f"set '{pictures.name}': no picture can be read ({len(pictures)} tried)")
    return PictureSubset(whole=pictures, indices=kept, name=pictures.name)


def _origin(pictures: PictureSet) -> PictureSet:
    """Return the set that these pictures are computed from, itself where it lies on disk."""
    return _origin(pictures.made_from) if isinstance(pictures, ComputedPictureSet) else pictures


def _originals(pictures: PictureSet) -> Sequence[int]:
    """Return for every picture the place in `_origin(pictures)` of what it is computed from."""
    if not isinstance(pictures, ComputedPictureSet):
        return range(len(pictures))
    places = _originals(pictures.made_from)
    return [places[pictures.original(index)] for index in range(len(pictures))]


def _require_classes(before: PictureSet, train: PictureSet, names: Sequence[str]) -> None:
    """Raise DataError where the last pictures of a class were left out."""
    lost = sorted(set(before.labels) - set(train.labels))
    if lost:
        listed = ", ".join(f"'{names[label]}'" for label in lost)
        raise DataError(f"set '{train.name}': no readable picture is left of class {listed}")
