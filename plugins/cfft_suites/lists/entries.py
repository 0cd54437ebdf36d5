"""Entries of lists: an image, its class, and the set that it belongs to."""

from __future__ import annotations

import unicodedata

import attrs


@attrs.frozen
class Entry:
    """Hold what a list says of an image.

    `split`: train, val, test or another word of the list; None where it says nothing. `domain`: ""
    where it says nothing. `file`: the name of the list.
    """

    image: str
    label: str
    split: str | None
    domain: str
    file: str


def composed(text: str) -> str:
    """Return a text with accents as part of their letters, in which equal texts are equal."""
    return unicodedata.normalize("NFC", text.strip())
