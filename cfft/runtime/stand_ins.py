"""Small texts that servers and version control leave in the place of a file."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

HEAD_BYTES = 512  # of a file, enough to know it by
FETCH_AGAIN = "fetch the file again"

_PAGE = (
    f"an HTML page, as servers send it instead of a file: {FETCH_AGAIN}, from its direct link and "
    "logged in if it needs that"
)
_STAND_INS: Mapping[bytes, str] = {
    b"version https://git-lfs.github.com/": "a Git LFS pointer, not the file that it stands for: "
    "run git lfs pull where it comes from, or download the file itself",
    b"<!doctype html": _PAGE,
    b"<html": _PAGE,
    b"<?xml": f"an XML message, as servers send it instead of a file: {FETCH_AGAIN}",
}


def stand_in(head: bytes) -> str | None:
    """Return what lies in a file's place and what to do, by its first bytes; None for others."""
    return text_told_by(head, _STAND_INS)


def text_told_by(head: bytes, told: Mapping[bytes, str]) -> str | None:
    """Return what is told of files that begin so, in any case, after blanks and byte-order mark."""
    start = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    return next((what for sign, what in told.items() if start.startswith(sign.lower())), None)
