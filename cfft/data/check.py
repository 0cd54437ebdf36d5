"""Find images that cannot be read, before training starts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import attrs

from cfft.data.consistency import every_set
from cfft.data.images import ImageFiles, ImageSubset, image_fault, whole_of
from cfft.data.known_images import DIGEST_BYTES, KnownImages, entry
from cfft.data.reading import reading_failure
from cfft.data.suite import ImageSet, SuiteSets
from cfft.errors import DataError, counted, shortened_list
from cfft.runtime.processes import ALONE, Processes
from cfft.runtime.processors import processors
from cfft.runtime.progress import Advance, ignore

T = TypeVar("T")
MOST_NAMED = 50
"""Lines of an error that lists images."""
_CHUNK = 64  # images per task: a future for each of a million would cost a gigabyte


def rest_of(lines: Sequence[str], one: str, where: str = "") -> Iterator[str]:
    """Yield how many lines are not shown of a long list, and `where` they are."""
    more = len(lines) - MOST_NAMED
    if more > 0:
        yield f"{counted(more, f'more {one}')}{where}"


@attrs.frozen(eq=False)
class Unreadable:
    """Name an image that cannot be read: image `index` of a set."""

    images: ImageSet = attrs.field(repr=False)
    index: int
    path: str
    reason: str

    def record(self) -> dict[str, str]:
        """Return it as results.json holds it."""
        return {"set": self.images.name, "path": self.path, "reason": self.reason}


@attrs.frozen(eq=False)
class CheckedSuite:
    """Hold a suite whose images can all be read.

    `unreadable`: the images that were left out of it. `contents`: a digest of the images of every
    set on disk by its name, of the bytes of files and of the pixels of what is read otherwise.
    """

    sets: SuiteSets
    unreadable: list[Unreadable]
    contents: dict[str, str]


def check_suite(
    suite: SuiteSets,
    skip: bool = False,
    advance: Advance = ignore,
    processes: Processes = ALONE,
) -> CheckedSuite:
    """Decode every image of a suite; return the suite without unreadable ones.

    Image files that an earlier check could read, and that have not changed since, are not decoded
    again (see KnownImages): what they held is known as well. `advance` and `processes` as in
    `find_unreadable`. Raises DataError that lists
    unreadable images; with `skip` only where a training class or a whole set has no other.
    """
    sets = every_set(suite)
    found, contents = _looked_at(sets, advance, processes)
    if not skip:
        require_readable(found)
    train, val, test, *ood = (readable(images, found) for images in sets)
    if lost := sorted(set(suite.train.labels) - set(train.labels)):
        listed = shortened_list(f"'{suite.classes[label]}'" for label in lost)
        raise DataError(f"set '{train.name}': no readable image is left of class {listed}")
    kept = attrs.evolve(suite, train=train, val=val, test=test, ood=tuple(ood))
    return CheckedSuite(kept, found, contents)


def require_readable(found: Sequence[Unreadable]) -> None:
    """Raise DataError that lists the images that cannot be read, if there are any."""
    if not found:
        return
    lines = [f"set '{each.images.name}': {each.path}: {each.reason}" for each in found]
    raise DataError(
        f"unreadable images: {len(found)}; fix, remove or skip them (--skip-unreadable)",
        *lines[:MOST_NAMED],
        *rest_of(lines, "unreadable image", ", which cfft data verify --json lists"),
    )


def find_unreadable(
    sets: Sequence[ImageSet], advance: Advance = ignore, processes: Processes = ALONE
) -> list[Unreadable]:
    """Decode every image of `stored(sets)` in threads and return those that fail, in order.

    Files that are known to be readable are passed over, as in `check_suite`.
    `processes` share the images and all return the same. `advance` is called in the caller's
    thread with the number of images done.
    """
    return _looked_at(sets, advance, processes)[0]


def _looked_at(
    sets: Sequence[ImageSet], advance: Advance, processes: Processes
) -> tuple[list[Unreadable], dict[str, str]]:
    on_disk = stored(sets)
    places = {id(images): place for place, images in enumerate(on_disk)}
    bad: list[tuple[int, int, str, str]] = []
    chunks: dict[tuple[int, int], hashlib._Hash] = {}  # one each: a million digests are long
    known = _known(on_disk)
    new = {root: bytearray() for root in known}

    def look(images: ImageSet, index: int) -> _Inspected:
        return _inspected(images, index, known)

    for images, index, seen in look_at(on_disk, look, advance, processes):
        place = places[id(images)]
        chunks.setdefault((place, index // _CHUNK), hashlib.sha256()).update(seen.digest)
        if seen.reason:
            bad.append((place, index, seen.path, seen.reason))
        if seen.new is not None:
            new[seen.new[0]] += seen.new[1]
    _remember(known, new, processes)
    listed = processes.join([(chunk, digest.digest()) for chunk, digest in chunks.items()])
    wholes = [hashlib.sha256() for _ in on_disk]
    for (place, _), digest in sorted(listed):
        wholes[place].update(digest)
    names = _distinct([images.name for images in on_disk])
    contents = {name: whole.hexdigest() for name, whole in zip(names, wholes, strict=True)}
    found = sorted(processes.join(bad))
    return [Unreadable(on_disk[place], *image) for place, *image in found], contents


def _distinct(names: Sequence[str]) -> list[str]:
    earlier = [names[:place].count(name) for place, name in enumerate(names)]
    return [f"{n}-{count + 1}" if count else n for n, count in zip(names, earlier, strict=True)]


def stored(sets: Iterable[ImageSet]) -> tuple[ImageSet, ...]:
    """Return the sets on disk that `sets` are read or computed from, each once."""
    return tuple({id(origin): origin for origin in map(_origin, sets)}.values())


def look_at(
    sets: Sequence[ImageSet],
    look: Callable[[ImageSet, int], T],
    advance: Advance = ignore,
    processes: Processes = ALONE,
) -> Iterator[tuple[ImageSet, int, T]]:
    """Call `look(images, index)` in threads for every image of this process's share.

    Yields what it returns, in order. `advance` is called in the caller's thread with the number of
    images done, on the assumption that other processes are as fast.
    """
    everything = list(_chunks(sets))
    total = sum(len(indices) for _, indices in everything)
    chunks = processes.share(everything)
    done = 0
    with ThreadPoolExecutor(processors()) as pool:
        try:
            seen = pool.map(lambda chunk: [look(chunk[0], index) for index in chunk[1]], chunks)
            for (images, indices), results in zip(chunks, seen, strict=True):
                yield from ((images, *pair) for pair in zip(indices, results, strict=True))
                done += len(indices) * processes.count
                advance(min(done, total))
        finally:
            pool.shutdown(cancel_futures=True)  # or Ctrl-C would wait for every image


def _chunks(sets: Sequence[ImageSet]) -> Iterator[tuple[ImageSet, range]]:
    for images in {id(images): images for images in sets}.values():
        for start in range(0, len(images), _CHUNK):
            yield images, range(len(images))[start : start + _CHUNK]


def fault(images: ImageSet, index: int) -> tuple[str, str | None]:
    """Return where an image lies, and why it cannot be read or None."""
    seen = _inspected(images, index, {})
    return seen.path, seen.reason or None


@attrs.frozen
class _Inspected:
    """Say where an image lies, why it cannot be read or nothing, and give a digest of its content.

    `new`: root and entry of a file that is to be remembered.
    """

    path: str
    reason: str
    digest: bytes
    new: tuple[Path, bytes] | None = None


def _inspected(images: ImageSet, index: int, known: Mapping[Path, KnownImages]) -> _Inspected:
    if isinstance(images, ImageSubset):
        return _inspected(images.whole, images.indices[index], known)
    if isinstance(images, ImageFiles):
        return _inspected_file(images, images.root / images.paths[index], known.get(images.root))
    try:
        image = images.read(index)
    except DataError as error:
        return _Inspected(images.identify(index), str(error), b"")
    except BaseException as error:  # SystemExit too, which would end the process without a word
        failure = reading_failure(images, index, error)
        if failure is None:
            raise
        raise failure from error
    return _Inspected(images.identify(index), "", _digest(image.tobytes()))


def _inspected_file(images: ImageFiles, path: Path, known: KnownImages | None) -> _Inspected:
    state = None if known is None else known.state(path)
    if known is not None and state is not None:
        digest = known.digest(state)
        if digest is not None:
            return _Inspected(str(path), "", digest)
    reason = image_fault(path)
    if reason:
        return _Inspected(str(path), reason, b"")
    digest = _digest(path.read_bytes())
    if known is None or state is None or not state.settled or known.state(path) != state:
        return _Inspected(str(path), "", digest)  # it may be another file soon
    return _Inspected(str(path), "", digest, (images.root, entry(state, digest)))


def _known(sets: Sequence[ImageSet]) -> dict[Path, KnownImages]:
    """Return what is remembered of the files of these sets, by root."""
    wholes = map(whole_of, sets)
    roots = {whole.root for whole in wholes if isinstance(whole, ImageFiles)}
    return {root: KnownImages.below(root) for root in sorted(roots)}


def _remember(
    known: Mapping[Path, KnownImages], new: Mapping[Path, bytearray], processes: Processes
) -> None:
    found = processes.join([(root, bytes(entries)) for root, entries in new.items()])
    if processes.is_main:
        for root, each in known.items():
            each.remember([entries for place, entries in found if place == root])


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def readable(images: ImageSet, found: Sequence[Unreadable]) -> ImageSet:
    """Return a set without the images that were found unreadable; DataError if none is left."""
    origin = _origin(images)
    bad = {image.index for image in found if image.images is origin}
    if not bad:
        return images
    kept = tuple(i for i, place in enumerate(_originals(images)) if place not in bad)
    if not kept:
        raise DataError(f"set '{images.name}': no image can be read ({len(images)} tried)")
    return ImageSubset(whole=images, indices=kept, name=images.name)


def _origin(images: ImageSet) -> ImageSet:
    source = ImageSet.of(images).made_from
    return images if source is None else _origin(source)


def _originals(images: ImageSet) -> Sequence[int]:
    """Return for every image its index in `_origin(images)`."""
    computed = ImageSet.of(images)
    if computed.made_from is None:
        return range(len(images))
    places = _originals(computed.made_from)
    return [places[computed.original(index)] for index in range(len(images))]
