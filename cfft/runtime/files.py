"""Output files: places that are free, and files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cfft.errors import ConfigError


def check_free(root: Path, remedy: str = "") -> None:
    """Raise ConfigError unless a directory is empty or can be made; `remedy` ends the message."""
    if root.is_dir() and any(root.iterdir()):
        raise ConfigError(f"--out {root} is not empty: give another directory{remedy}")
    check_fillable(root)


def check_fillable(root: Path) -> None:
    """Raise ConfigError unless files can be put into a directory, which is made where need be."""
    if root.exists() and not root.is_dir():
        raise ConfigError(f"--out {root} is a file: give a directory that can be filled")
    nearest = next(place for place in (root, *root.resolve().parents) if place.exists())
    if not nearest.is_dir():
        raise ConfigError(f"--out {root} cannot be made: {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"--out {root} cannot be made: {nearest} is not writable for you")


def write_text(path: Path, text: str, errors: str = "strict") -> None:
    """Replace a file by one that holds `text`, in one stroke.

    `errors`: as in `str.encode`. Raises UnicodeEncodeError; whatever is raised, `path` is as it
    was and nothing lies beside it.
    """
    with replacing(path) as partial:
        partial.write_text(text, "utf-8", errors)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file to write, which takes the place of `path` unless the block fails."""
    partial = sibling(path, "partial")
    try:
        yield partial
        flush(partial)
        partial.replace(path)
        flush(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def sibling(path: Path, suffix: str) -> Path:
    return path.parent / f"{path.name}.{suffix}"  # also where the name is empty: Path(".")


def flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_free(out: Path | None) -> None:
    """Raise ConfigError where --out exists or lies beneath a file; None is always free."""
    if out is None:
        return
    if out.exists():
        raise ConfigError(f"--out {out} exists: give another path")
    nearest = next(place for place in out.absolute().parents if place.exists())
    if not nearest.is_dir():
        raise ConfigError(f"--out {out}: {nearest} is a file: give another path")


def first_free(candidates: Iterable[Path]) -> Path:
    """Return the first path that does not exist yet."""
    return next(path for path in candidates if not path.exists())
