"""Names of weights as users write them: a file, or FILE:NEST for one set of several in it."""

from __future__ import annotations

from pathlib import Path


def split_nest(path: Path | str) -> tuple[Path, str]:
    """Return the file and the nest of `FILE:NEST`, "" without one; a colon in a name is kept."""
    file, colon, nest = str(path).rpartition(":")
    named = bool(colon and nest) and "/" not in nest
    if named and not Path(path).exists() and Path(file).is_file():
        return Path(file), nest
    return Path(path), ""
