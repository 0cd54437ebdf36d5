"""Find pictures that occur more than once, by what they show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

import attrs

from cfft.data.check import Progress, Unreadable, fault, look_at
from cfft.data.suite import PictureSet
from cfft.errors import DataError

_Seen = bytes | tuple[str, str]


@attrs.frozen
class Place:
    """Say where a picture is: the set, what the set is for, the picture's name and label in it."""

    set: str
    role: str
    picture: str
    label: int

    def __str__(self) -> str:
        return f"{self.set}: {self.picture}"


@attrs.frozen
class Copies:
    """Name all places of one picture, in the order of the sets."""

    places: tuple[Place, ...]

    @property
    def is_leak(self) -> bool:
        """Tell whether sets share the picture that must not: those of different roles."""
        return len({place.role for place in self.places}) > 1

    @property
    def is_contradiction(self) -> bool:
        """Tell whether a set has the picture under several labels."""
        labels = {(place.set, place.label) for place in self.places}
        return len(labels) > len({name for name, _ in labels})


def read_all(
    sets: Sequence[tuple[str, PictureSet]], progress: Progress | None = None
) -> tuple[list[Unreadable], list[Copies]]:
    """Decode every picture of `sets`, pairs of role and set, once.

    Return the pictures that cannot be read and those that occur more than once: whose SHA-256 of
    size and RGB pixels, upright, is the same. That holds for pictures in any container and finds
    copies under other names, with other metadata or in another lossless format; a picture that was
    compressed anew is another one.
    """
    unreadable: list[Unreadable] = []
    first: dict[bytes, tuple[PictureSet, int]] = {}
    again: dict[bytes, list[tuple[PictureSet, int]]] = {}
    for pictures, index, seen in look_at([pictures for _, pictures in sets], _see, progress):
        if isinstance(seen, tuple):
            unreadable.append(Unreadable(pictures, index, *seen))
        elif first.setdefault(seen, (pictures, index)) != (pictures, index):
            again.setdefault(seen, [first[seen]]).append((pictures, index))
    roles = {id(pictures): role for role, pictures in sets}
    return unreadable, [Copies(tuple(_places(found, roles))) for found in again.values()]


def _see(pictures: PictureSet, index: int) -> _Seen:
    """Return the picture's digest, or where it lies and why it cannot be read."""
    try:
        image = pictures.read(index)
    except DataError as error:
        path, reason = fault(pictures, index)
        return path, reason or str(error)
    return sha256(repr(image.size).encode() + image.tobytes()).digest()


def _places(found: Sequence[tuple[PictureSet, int]], roles: Mapping[int, str]) -> Iterator[Place]:
    for pictures, index in found:
        name = pictures.identify(index)
        yield Place(pictures.name, roles[id(pictures)], name, pictures.labels[index])
