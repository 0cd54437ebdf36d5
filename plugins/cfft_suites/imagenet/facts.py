"""Facts of ImageNet and its shifts, read from the package's data file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import attrs


@attrs.frozen(eq=False)
class Facts:
    """Hold which classes there are and which of them each shift has.

    `names`: the 1,000 class names by folder (WordNet id), in class-index order; two names occur
    twice, so that only folders and indices tell classes apart. `imagenet_r`, `imagenet_a`: class
    indices in order. `objectnet`: class indices by ObjectNet folder, in order, one or several.
    """

    names: Mapping[str, str]
    imagenet_r: tuple[int, ...]
    imagenet_a: tuple[int, ...]
    objectnet: Mapping[str, tuple[int, ...]]

    @property
    def folders(self) -> tuple[str, ...]:
        """The folder names (WordNet ids) in class-index order."""
        return tuple(self.names)


@cache
def facts() -> Facts:
    """Return the facts; the file is read once."""
    stored: dict[str, Any] = json.loads(
        files(__package__).joinpath("facts.json").read_text("utf-8")
    )
    return Facts(
        names=stored["classes"],
        imagenet_r=tuple(stored["imagenet-r"]),
        imagenet_a=tuple(stored["imagenet-a"]),
        objectnet={folder: tuple(classes) for folder, classes in stored["objectnet"].items()},
    )
