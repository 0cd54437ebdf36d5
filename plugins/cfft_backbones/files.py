"""Tell weight files from tags."""

from __future__ import annotations

import os
from pathlib import Path

_SUFFIXES = frozenset({".safetensors", ".pt", ".pth", ".bin"})


def looks_like_path(weights: str) -> bool:
    """Tell whether `weights` is meant as a file, even if there is none."""
    return os.path.isfile(weights) or os.sep in weights or Path(weights).suffix in _SUFFIXES
