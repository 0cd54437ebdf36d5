"""Find images that occur more than once, by their pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Annotated

import attrs
from cattrs.gen import override

from cfft.data.check import Unreadable, fault, look_at
from cfft.data.suite import ImageSet
from cfft.errors import DataError
from cfft.runtime.progress import Advance, ignore


@attrs.frozen
class Place:
    """Locate an image: its set, the set's role, and the image's name and label in it."""

    set: str
    role: str
    image: Annotated[str, override(rename="picture")]  # in JSON
    label: int

    def __str__(self) -> str:
        return f"{self.set} ({self.image})"


@attrs.frozen
class Copies:
    """Name all places of one image, in the order of the sets."""

    places: tuple[Place, ...]

    @property
    def is_leak(self) -> bool:
        """Tell whether sets of different roles share the image."""
        return len({place.role for place in self.places}) > 1

    @property
    def is_contradiction(self) -> bool:
        """Tell whether a set has the image under several labels."""
        labels = {(place.set, place.label) for place in self.places}
        return len(labels) > len({name for name, _ in labels})


def read_all(
    sets: Sequence[tuple[str, ImageSet]], advance: Advance = ignore
) -> tuple[list[Unreadable], list[Copies]]:
    """Decode every image of `sets`, pairs of role and set, once.

    Return the images that cannot be read and those that occur more than once: whose SHA-256 of
    size and upright RGB pixels is the same. That finds copies under other names, with other
    metadata or in another lossless format, but none that was compressed again with loss.
    """
    unreadable: list[Unreadable] = []
    first: dict[bytes, tuple[ImageSet, int]] = {}
    again: dict[bytes, list[tuple[ImageSet, int]]] = {}
    for images, index, seen in look_at([images for _, images in sets], _see, advance):
        if isinstance(seen, tuple):
            unreadable.append(Unreadable(images, index, *seen))
        elif first.setdefault(seen, (images, index)) != (images, index):
            again.setdefault(seen, [first[seen]]).append((images, index))
    roles = {id(images): role for role, images in sets}
    return unreadable, [Copies(tuple(_places(found, roles))) for found in again.values()]


def _see(images: ImageSet, index: int) -> bytes | tuple[str, str]:
    try:
        image = images.read(index)
    except DataError as error:
        path, reason = fault(images, index)
        return path, reason or str(error)
    return sha256(repr(image.size).encode() + image.tobytes()).digest()


def _places(found: Sequence[tuple[ImageSet, int]], roles: Mapping[int, str]) -> Iterator[Place]:
    for images, index in found:
        name = images.identify(index)
        yield Place(images.name, roles[id(images)], name, images.labels[index])
