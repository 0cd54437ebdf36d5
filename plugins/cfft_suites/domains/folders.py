"""Class folders of a domain, as the published archives unpack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import attrs

from cfft import ImageFiles, class_folders, list_subfolders

_PARTS = ("train", "crossval", "full", "test")
_FULL = ("train", "crossval")  # VLCS has these two together in `full`, and `test` beside it


def class_roots(domain: Path) -> tuple[Path, ...]:
    """Return the folders that hold a domain's class folders: its own, or those of its parts.

    Together they hold every image once: where `full` and what it is made of both lie there, one
    of them is left out. Parts are told from classes of that name by the folders in them; DomainNet
    has a class `train`.
    """
    inner = list_subfolders(domain)
    divided = inner and set(_PARTS).issuperset(inner)
    if not divided or not all(list_subfolders(domain / part) for part in inner):
        return (domain,)
    repeated = {"full"} if set(_FULL).issubset(inner) else set(_FULL) if "full" in inner else set()
    return tuple(domain / part for part in _PARTS if part in inner and part not in repeated)


def domain_images(domain: Path, name: str, table: Mapping[str, str]) -> ImageFiles:
    """Find the images of a domain, those of all its parts; raises as `class_folders` does."""
    parts = [class_folders(root, name, table) for root in class_roots(domain)]
    if len(parts) == 1:
        return parts[0]
    return attrs.evolve(
        parts[0],
        root=domain,
        paths=tuple(f"{part.root.name}/{path}" for part in parts for path in part.paths),
        labels=tuple(chain.from_iterable(part.labels for part in parts)),
        classes=tuple(sorted({label for part in parts for label in part.classes})),
        faults=tuple(chain.from_iterable(part.faults for part in parts)),
        passed_over=sum((Counter(part.passed_over) for part in parts), Counter()),
        doubts=tuple(chain.from_iterable(part.doubts for part in parts)),
    )
