"""Files that a command is to write: a new one, where one can be made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cfft.errors import ConfigError


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
