"""Fingerprints of image sets: the same wherever a set is opened, another one for other images.

They are stored by runs and seed the bootstrap: what is hashed can't change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from cfft.data.suite import ImageSet

_AT_ONCE = 4096


def fingerprint(names: Iterable[str], labels: Iterable[int]) -> str:
    """Return a SHA-256 of images' names and labels in order."""
    return _sha256(_listed([_listed(_each(names)), _listed(_each(map(int, labels)))]))


def set_fingerprint(images: ImageSet) -> str:
    """Return the fingerprint of a set's images, whatever it is called."""
    return fingerprint(_names(images), images.labels)


def sets_fingerprint(sets: Iterable[ImageSet]) -> str:
    """Return a SHA-256 of several sets: their names, and their images' names and labels."""
    return _sha256(_listed(map(_set, sets)))


def _set(images: ImageSet) -> Iterator[str]:
    pairs = zip(_names(images), map(int, images.labels), strict=True)
    return _listed(_each(chain([images.name], pairs)))


def _names(images: ImageSet) -> Iterable[str]:
    return map(images.identify, range(len(images)))


def _each(values: Iterable[Any]) -> Iterator[Iterable[str]]:
    """Yield values as JSON, some at once with commas between."""
    rest = iter(values)
    while some := list(islice(rest, _AT_ONCE)):
        yield [json.dumps(some)[1:-1]]


def _listed(values: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield a JSON list in pieces: whole, that of a million images would take gigabytes."""
    yield "["
    for number, value in enumerate(values):
        yield from chain([", "] if number else [], value)
    yield "]"


def _sha256(pieces: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece.encode())
    return digest.hexdigest()
