"""Folders of the user's cache, which hold nothing that could not be made again."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(name: str = "") -> Path:
    """Return where cfft keeps things called `name`, or all of them; it need not exist."""
    return user_cache_path("cfft", appauthor=False) / name
