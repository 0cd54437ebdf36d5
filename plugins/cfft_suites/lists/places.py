"""Files that the paths of lists mean."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import attrs

from cfft import DataError, list_subfolders

from .entries import Entry, composed
from .names import is_image_name, split_and_domain

Names: TypeAlias = Mapping[str, tuple[str, ...]]


@attrs.frozen
class Located:
    """Hold an entry, the files that it may mean, and its part, which their folder may tell.

    `paths`: as ImageFiles takes them; none where the image is missing, several where its name
    lacks a suffix that would choose.
    """

    entry: Entry
    paths: tuple[str, ...]
    split: str | None


class Places:
    """Find files below a folder, each directory listed once.

    An image lies where its path says, or so in a folder that is called like its part or domain, or
    `images`, as in Kaggle's train.csv beside train/.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DataError(
                f"--root {root}: no such directory; give the folder that paths start from"
            )
        self._root = root
        self._above = os.path.abspath(root) + os.sep
        self._files: dict[str, list[str]] = {}
        self._names: dict[str, Names] = {}
        self._parts: dict[str, str | None] = {}
        self._of_domain: dict[str, list[str]] = {}
        for folder in list_subfolders(root):
            self._parts[folder], domain = split_and_domain(folder)
            self._of_domain.setdefault(domain, []).append(folder)

    def locate(self, entry: Entry) -> Located:
        """Return the files that an entry may mean."""
        path = os.path.normpath(os.path.expanduser(entry.image.replace("\\", "/")))
        path = path.removeprefix(self._above)
        found = self._find(path)
        if found or os.path.isabs(path):
            return Located(entry, found, entry.split)
        below = self._below(path, entry) if entry.domain else {}
        below = below or self._below(path, attrs.evolve(entry, domain=""))
        parts = {self._parts[folder] for folder in below}
        split = next(iter(parts)) if entry.split is None and len(parts) == 1 else entry.split
        return Located(entry, tuple(p for paths in below.values() for p in paths), split)

    def not_listed(self, paths: Iterable[str]) -> int:
        """Count the images beside those at `paths` that are none of them."""
        listed = Counter(map(os.path.dirname, set(paths)))
        return sum(
            sum(is_image_name(file) and file[0] != "." for file in self._files[directory]) - count
            for directory, count in listed.items()
        )

    def _below(self, path: str, entry: Entry) -> dict[str, tuple[str, ...]]:
        """Find a path in the folders that are called like an entry's domain and part."""
        folders = (
            folder
            for folder in self._of_domain.get(entry.domain, ())
            if entry.split is None or self._parts[folder] in (None, entry.split)
        )
        found = {folder: self._find(f"{folder}/{path}") for folder in folders}
        return {folder: paths for folder, paths in found.items() if paths}

    def _find(self, path: str) -> tuple[str, ...]:
        directory, name = os.path.split(path)
        if directory not in self._names:
            self._files[directory] = _list_files(self._root / directory)
            self._names[directory] = _by_name(self._files[directory])
        names = self._names[directory].get(composed(name), ())
        return tuple(f"{directory}/{each}" if directory else each for each in names)


def _list_files(directory: Path) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            files = [each for each in entries if not each.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(file.name for file in files)


def _by_name(files: Iterable[str]) -> Names:
    """Map names, and images' names without suffix, to the files that they may mean."""
    found: dict[str, tuple[str, ...]] = {}
    stems: dict[str, tuple[str, ...]] = {}
    for file in files:
        found[composed(file)] = (file,)
        if is_image_name(file):
            stem = composed(os.path.splitext(file)[0])
            stems[stem] = (*stems.get(stem, ()), file)
    return {**stems, **found}
