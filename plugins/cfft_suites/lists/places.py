"""Files that the paths of lists mean."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import attrs

from cfft import DataError, list_subfolders, shortened_list

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
        self.root = root
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
        path = self._plain(entry.image)
        found = self._find(path)
        if found or os.path.isabs(path):
            return Located(entry, found, entry.split)
        below = self._below(path, entry) if entry.domain else {}
        below = below or self._below(path, attrs.evolve(entry, domain=""))
        parts = {self._parts[folder] for folder in below}
        split = next(iter(parts)) if entry.split is None and len(parts) == 1 else entry.split
        return Located(entry, tuple(p for paths in below.values() for p in paths), split)

    def like(self, entry: Entry) -> str | None:
        """Return a file that an entry without one probably means, by case, suffix or zeros."""
        path = self._plain(entry.image)
        for folder in ("", *self._parts):
            directory, name = os.path.split(os.path.join(folder, path))
            actual = self._actual(directory)
            if actual is None:
                continue
            self._find(f"{actual}/{name}" if actual else name)
            found = _likeliest(name, self._files[actual])
            if found is not None:
                return f"{actual}/{found}" if actual else found
        return None

    def beside(self, entry: Entry) -> str:
        """Say what lies where an entry is looked for."""
        directory = os.path.dirname(self._plain(entry.image))
        place = self.root / directory
        if not place.is_dir():
            return f"there is no folder {place}"
        images = [file for file in self._files.get(directory, ()) if is_image_name(file)]
        if not images:
            folders = list_subfolders(place)
            held = f"the folders {shortened_list(folders)}" if folders else "no images"
            return f"{place} holds {held}"
        return f"{place} holds {len(images):,} images: {shortened_list(images, most=3)}"

    def _plain(self, image: str) -> str:
        path = os.path.normpath(os.path.expanduser(image.replace("\\", "/")))
        return path.removeprefix(self._above)

    def _actual(self, directory: str) -> str | None:
        """Return a directory as it is spelt on disk, where case alone differs, else None."""
        if os.path.isabs(directory):
            return directory if os.path.isdir(directory) else None
        place = ""
        for part in (part for part in directory.split("/") if part):
            named = os.path.join(place, part)
            if not (self.root / named).is_dir():
                there = list_subfolders(self.root / place)
                alike = [each for each in there if each.casefold() == part.casefold()]
                if not alike:
                    return None
                named = os.path.join(place, alike[0])
            place = named
        return place

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
            self._files[directory] = _list_files(self.root / directory)
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


def _likeliest(name: str, files: Sequence[str]) -> str | None:
    """Return the file that differs from a name by case, by leading zeros or by its suffix."""
    images = [file for file in files if is_image_name(file)]
    for key in (str.casefold, _stem, _number):
        wanted = key(composed(name))
        found = next((file for file in images if wanted and key(composed(file)) == wanted), None)
        if found is not None:
            return found
    return None


def _stem(name: str) -> str:
    return (os.path.splitext(name)[0] if is_image_name(name) else name).casefold()


def _number(name: str) -> str:
    """Return the number that a name is, without the zeros that tables lose, or ""."""
    stem = _stem(name)
    return stem.lstrip("0") or "0" if stem.isdecimal() else ""


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
