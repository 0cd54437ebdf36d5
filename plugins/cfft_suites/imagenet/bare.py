"""The ID set where its class folders lie directly in the suite's directory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cfft import DataError, ImageFiles, list_subfolders

from .facts import facts
from .layouts import COMPLETE, PLACES, TEST, TRAIN, layout_of

_WNID = re.compile(r"n\d{8}")


def require_no_single_set(data: Path) -> None:
    """Raise DataError where `data` is by its name a set that must not be taken for the ID set."""
    if data.resolve().name in _others() and _ids(data):
        raise DataError(f"--data {data} is a single set: give the directory that holds it")


def read_bare(data: Path, asked: bool) -> ImageFiles | None:
    """Return the ID set whose class folders lie directly in `data`, or None without any.

    Folders that are not named like a class may lie beside them. Unless the user has `asked` for
    the ID set, raises DataError for folders that look like those of another set.
    """
    folders = _ids(data)
    if not folders:
        return None
    images = layout_of(TEST).read(data, TEST, among=folders)
    doubt = next(_doubts(images), None)
    if doubt is not None and not asked:
        raise DataError(
            f"--data {data} has class folders directly in it, and {doubt}: name the directory as "
            f"the set's archive does and give the one above it, or say --sets {TEST} if this is "
            "ImageNet's validation set"
        )
    return images


def _ids(data: Path) -> list[str]:
    """List the folders named like classes, or none if none of them is a class of ImageNet."""
    named = [folder for folder in list_subfolders(data) if _WNID.fullmatch(folder)]
    return [] if facts().names.keys().isdisjoint(named) else named


def _others() -> set[str]:
    shifts = (places for name, places in PLACES.items() if name != TEST)
    return {*TRAIN, *(place for places in shifts for place in places)}


def _doubts(images: ImageFiles) -> Iterator[str]:
    """Yield reasons why these may not be images of the validation set."""
    counts = Counter(images.labels)
    most, usual = max(counts.values(), default=0), COMPLETE[TEST].per_class or 0
    if most > usual:
        yield f"one holds {most} images, more than the {usual} of ImageNet's validation set"
    for name in ("imagenet-r", "imagenet-a"):
        if counts and counts.keys() <= set(layout_of(name).classes):
            yield f"all of them are among the 200 of {name}"
