"""Models that come with cfft, as folders in open_clip's own layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "models"


def shipped_models() -> Mapping[str, Path]:
    """Return the folder, with config and weights, of each model by name."""
    return {path.parent.name: path.parent for path in _FOLDER.glob("*/open_clip_config.json")}
