"""Patterns in names and paths, as in a shell: * ? and [] stand for others, and case counts.

What has exactly that name comes first, so that names with brackets in them can be given.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from cfft.runtime.files import with_home


def is_called(pattern: str, names: Iterable[str]) -> bool:
    """Tell whether one of these names is `pattern` or matches it."""
    return any(name == pattern or fnmatchcase(name, pattern) for name in names)


def paths_called(pattern: str) -> list[Path]:
    """Return the path called so, or those that match, sorted; ** goes through folders."""
    pattern = with_home(pattern)
    if Path(pattern).exists():
        return [Path(pattern)]
    return [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]
