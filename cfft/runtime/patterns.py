"""Patterns in names and paths, as in a shell: * ? and [] stand for others, and case counts.

What has exactly that name comes first, so that names with brackets in them can be given.
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeAlias

from cfft.runtime.files import with_home

Identity: TypeAlias = tuple[int, int]
_ANY_DEPTH = "**"
_MOST_WAYS = 100  # to one folder: links between a dozen of them make millions


def is_called(pattern: str, names: Iterable[str]) -> bool:
    """Tell whether one of these names is `pattern` or matches it."""
    return any(name == pattern or fnmatchcase(name, pattern) for name in names)


def paths_called(pattern: str) -> list[Path]:
    """Return the path called so, or those that match, sorted; ** goes through folders."""
    pattern = with_home(pattern)
    if Path(pattern).exists():
        return [Path(pattern)]
    return [Path(match) for match in sorted({*_matches(pattern)})]


def _matches(pattern: str) -> Iterator[str]:
    """Expand ** here: glob goes 40 times through links that lead in a circle."""
    parts = pattern.split(os.sep)
    if _ANY_DEPTH not in parts:
        yield from glob.glob(pattern)
        return
    at = parts.index(_ANY_DEPTH)
    head, rest = os.sep.join(parts[:at]), os.sep.join(parts[at + 1 :])
    for start in glob.glob(f"{head}{os.sep}") if at else [""]:
        for folder in _folders_in(start, frozenset(), Counter()):
            if not rest:
                yield folder or os.curdir
            yield from _matches(os.path.join(glob.escape(folder), rest or "*"))


def _folders_in(folder: str, above: frozenset[Identity], ways: Counter[Identity]) -> Iterator[str]:
    """Return a folder and those below it, but hidden ones and links to what is above them."""
    try:
        status = os.stat(folder or os.curdir)
        with os.scandir(folder or os.curdir) as entries:
            inner = [each.name for each in entries if each.name[0] != "." and _is_folder(each)]
    except OSError:
        return
    here = (status.st_dev, status.st_ino)
    ways[here] += 1
    if here in above or ways[here] > _MOST_WAYS:
        return
    yield folder
    for name in sorted(inner):
        yield from _folders_in(os.path.join(folder, name), above | {here}, ways)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
