"""Class folders and image files in a directory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from cfft.errors import DataError

EXTENSIONS = (
    *(".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)


def subfolders(directory: Path) -> list[str]:
    """List the folders in a directory, sorted by `in_order`, without hidden ones and __MACOSX.

    Raises DataError where there is no such directory.
    """
    return in_order(entry.name for entry in _entries(directory) if entry.is_dir())


def in_order(names: Iterable[str]) -> list[str]:
    """Sort by name, or as numbers where all are numbers (ImageNet-V2 counts its classes)."""
    listed = list(names)
    numeric = all(map(str.isdecimal, listed))
    return sorted(listed, key=lambda name: (int(name) if numeric else 0, name))


def image_files(directory: Path) -> list[str]:
    """List the images at any depth as sorted POSIX paths relative to `directory`.

    An image is a file with one of EXTENSIONS in either case; hidden files and folders are left
    out. Links are followed. A dangling link counts, so that it is found to be unreadable.
    """
    return sorted(_walk(directory, "", frozenset()))


def no_classes(directory: Path) -> str:
    """Say what to do about a directory of a set that has no class folders."""
    if image_files(directory):
        return f"images lie directly in {directory}: put them in {directory}/CLASS/"
    return f"{directory} has no class folders; expected {directory}/CLASS/"


def _walk(directory: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    status = directory.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:  # a link to a folder that holds it
        return
    for entry in _entries(directory):
        if entry.is_dir():
            yield from _walk(directory / entry.name, f"{prefix}{entry.name}/", above | {here})
        elif os.path.splitext(entry.name)[1].lower() in EXTENSIONS:
            yield prefix + entry.name


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
    except FileNotFoundError:
        raise DataError(f"no such directory: {directory}") from None
    except OSError as error:
        raise DataError(f"cannot list {directory}: {error.strerror}") from error
