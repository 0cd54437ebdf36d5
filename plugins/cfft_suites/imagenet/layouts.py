"""Folders of ImageNet and its shifts, and the classes that they stand for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path

import attrs

from cfft import Expected, ImageFiles, class_folders, list_subfolders

from .facts import facts

TEST = "imagenet"
STANDARD = (TEST, "imagenet-v2", "imagenet-r", "imagenet-sketch", "objectnet", "imagenet-a")
TRAIN = ("train", "imagenet/train", "ILSVRC/Data/CLS-LOC/train")
PLACES: Mapping[str, tuple[str, ...]] = {
    TEST: ("val", "imagenet/val", "ILSVRC/Data/CLS-LOC/val"),
    "imagenet-v2": ("imagenetv2-matched-frequency-format-val",),
    "imagenet-v2-threshold": ("imagenetv2-threshold0.7-format-val",),
    "imagenet-v2-top": ("imagenetv2-top-images-format-val",),
    "imagenet-r": ("imagenet-r",),
    "imagenet-sketch": ("sketch", "imagenet-sketch/sketch", "imagenet-sketch"),
    "objectnet": ("objectnet-1.0/images", "objectnet/images"),
    "imagenet-a": ("imagenet-a",),
}
"""Places below the suite's directory by set, as archives unpack: the authors', then Kaggle's."""
TRAINING = "imagenet-train"
COMPLETE: Mapping[str, Expected] = {
    TRAINING: Expected(1_281_167, 1000),
    TEST: Expected(50_000, 1000, per_class=50),
    "imagenet-v2": Expected(10_000, 1000, per_class=10),
    "imagenet-v2-threshold": Expected(10_000, 1000, per_class=10),
    "imagenet-v2-top": Expected(10_000, 1000, per_class=10),
    "imagenet-r": Expected(30_000, 200),
    "imagenet-sketch": Expected(50_889, 1000),
    "objectnet": Expected(18_574, 113),  # of 50,273 images in 313 folders
    "imagenet-a": Expected(7_500, 200),
}
"""Published sizes of the complete sets; of ObjectNet, the part that is measured."""
_NUMBERED = ("imagenet-v2", "imagenet-v2-threshold", "imagenet-v2-top")


@attrs.frozen(eq=False)
class Layout:
    """Classes that the folders of a set stand for.

    `table`: class names by folder, in class-index order. `classes`: the indices that the set is
    made of, whether or not a folder of each is there.
    """

    table: Mapping[str, str]
    classes: tuple[int, ...]

    def read(self, root: Path, name: str, among: Collection[str] | None = None) -> ImageFiles:
        """Find the images of a set; folders that are none of its classes are a fault.

        `among`: the folders to look at, where others lie there on purpose.
        """
        folders = tuple(self.table)
        allowed = [folders[index] for index in self.classes]
        there = list_subfolders(root) if among is None else among
        strangers = sorted(set(there).difference(allowed))
        told = [f"set '{name}': {root}: {_stranger(strangers, allowed)}"] if strangers else []
        images = class_folders(root, name, self.table, only=allowed)
        return attrs.evolve(images, classes=self.classes, faults=(*told, *images.faults))


def layout_of(name: str, root: Path | None = None) -> Layout:
    """Return the layout of a set whose folders are WordNet ids or class indices.

    ImageNet-V2's folders are class indices as published. Where most of those in `root` are WordNet
    ids, as others distribute it, they are read as such.
    """
    known = facts()
    subsets = {"imagenet-r": known.imagenet_r, "imagenet-a": known.imagenet_a}
    classes = subsets.get(name, tuple(range(len(known.names))))
    if name in _NUMBERED and not (root and _has_wordnet_ids(root)):
        return Layout({str(i): text for i, text in enumerate(known.names.values())}, classes)
    return Layout(known.names, classes)


def _has_wordnet_ids(root: Path) -> bool:
    folders = list_subfolders(root)
    return 2 * len(facts().names.keys() & set(folders)) > len(folders)


def _stranger(folders: list[str], allowed: list[str]) -> str:
    more = f", and {len(folders) - 1} more like it" if len(folders) > 1 else ""
    expected = f"its {len(allowed)} class folders are among {allowed[0]} to {allowed[-1]}"
    return f"{_unknown(folders[0], allowed)}; {expected}; remove or rename it{more}"


def _unknown(folder: str, allowed: list[str]) -> str:
    known = facts().names
    if folder in known:
        return f"class folder '{folder}' ({known[folder]}) is no class of this set"
    unpadded = folder.lstrip("0") or "0"
    close = [unpadded] if unpadded in allowed else get_close_matches(folder, allowed, n=1)
    return f"unknown class folder '{folder}'" + "".join(f"; did you mean '{c}'?" for c in close)
