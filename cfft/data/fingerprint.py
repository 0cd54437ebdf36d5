"""Fingerprints of image sets: the same wherever a set is opened, another one for other images.

They are stored by runs and seed the bootstrap: what is hashed can't change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from cfft.data.suite import ImageSet


def fingerprint(names: Iterable[str], labels: Iterable[int]) -> str:
    """Return a SHA-256 of images' names and labels in order."""
    return _sha256([list(names), list(map(int, labels))])


def set_fingerprint(images: ImageSet) -> str:
    """Return the fingerprint of a set's images, whatever it is called."""
    return fingerprint(_names(images), images.labels)


def sets_fingerprint(sets: Iterable[ImageSet]) -> str:
    """Return a SHA-256 of several sets: their names, and their images' names and labels."""
    return _sha256([[s.name, *zip(_names(s), map(int, s.labels), strict=True)] for s in sets])


def _names(images: ImageSet) -> Iterable[str]:
    return map(images.identify, range(len(images)))


def _sha256(listed: list[Any]) -> str:
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()
