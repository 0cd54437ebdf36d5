"""The suite `folder`: training, validation, test and OOD images in folders of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from cfft import (
    DataError,
    EvaluationSets,
    ImageFiles,
    Suite,
    SuiteSets,
    class_folders,
    evaluation_class_names,
    list_subfolders,
    param,
    suite,
    training_class_names,
)

from .parts import PARTS, Percentages, Readers, check_split, complete_sets, folders_in, open_each


@suite("folder")
class FolderSuite(Suite):
    """Train on DIR/train/<class>/*, test on DIR/test and on each DIR/ood/<name>.

    Without DIR/train the others can be measured on. Their classes are then those that classes.txt
    (as folder<TAB>name) or classes.toml names, or else all their folders.

    A part without a folder, DIR/val or DIR/test, is drawn from DIR/train, each class for itself,
    from the run's seed: with both missing the training images are divided as `split` says, with
    one missing in the proportion of train to that part. Where the training set has a class, the
    other sets may lack it, but never the other way round. DIR may hold classes.txt or
    classes.toml with the class names.
    """

    data: Path = param(help="folder that holds train, and optionally val, test and ood")
    split: Percentages = param(
        (70.0, 10.0, 20.0), help="shares of train/val/test, for parts without a folder"
    )

    known_sets: ClassVar[tuple[str, ...]] = (*PARTS, "every folder in ood/")

    def __attrs_post_init__(self) -> None:
        check_split("folder", self.split)

    def open(self, seed: int) -> SuiteSets:
        """Return the sets; raises DataError where train/ is missing or has no classes."""
        folders = folders_in(self.data, "train/, and optionally val/, test/ and ood/")
        if "train" not in folders:
            raise DataError(_no_train(self.data, folders))
        table = training_class_names(self.data / "train", names_in=self.data)
        roots = [self.data / name for name in PARTS[1:] if name in folders]
        whole = class_folders(self.data / "train", "train", table)
        given, shifts = _readers(roots, table), _readers(self._ood_roots(), table)
        return complete_sets(
            whole, whole.class_names, given, shifts, self.split, seed, _remedy(given)
        )

    def evaluation(self, seed: int) -> EvaluationSets:
        """Return the sets to measure on, for which no training images have to be there.

        With them, classes and a drawn test part are those of `open`; raises as it does.
        """
        if "train" in folders_in(self.data, "test/ or ood/"):
            return self.open(seed).for_evaluation()
        return self._without_training()

    def unread(self) -> tuple[str, ...]:
        """Name the folders in DIR that are no part and hold folders, as sets do."""
        known = (*PARTS, "ood")
        names = list_subfolders(self.data) if self.data.is_dir() else []
        return tuple(
            name for name in names if name not in known and list_subfolders(self.data / name)
        )

    def _without_training(self) -> EvaluationSets:
        test = [self.data / "test"] if (self.data / "test").is_dir() else []
        roots = [*test, *self._ood_roots()]
        if not roots:
            raise DataError(_no_train(self.data, list_subfolders(self.data)))
        table = evaluation_class_names(roots, self.data)
        found, refused = open_each(_readers(roots, table))
        return EvaluationSets(
            classes=tuple(table.values()),
            test=found.pop("test", None),
            ood=tuple(found.values()),
            absent={} if test else {"test": f"looked for test in {self.data}"},
            refused=refused,
        )

    def _ood_roots(self) -> list[Path]:
        ood = self.data / "ood"
        names = list_subfolders(ood) if ood.is_dir() else []
        taken = [name for name in names if name in PARTS]
        if taken:
            raise DataError(
                f"{ood / taken[0]}: '{taken[0]}' is an in-distribution part; rename the folder"
            )
        return [ood / name for name in names]


def _readers(roots: Sequence[Path], table: Mapping[str, str]) -> Readers[ImageFiles]:
    """Return who reads the sets of these folders, called like them."""
    return {root.name: partial(class_folders, root, root.name, table) for root in roots}


def _remedy(given: Collection[str]) -> str:
    folders = " and ".join(f"{name}/" for name in PARTS[1:] if name not in given)
    return f", or give {folders} as folders of their own"


def _no_train(data: Path, folders: list[str]) -> str:
    return (
        f"{data} has no folder 'train'; the suite folder expects {data}/train/<class>/ and "
        f"optionally val/<class>/, test/<class>/, ood/<name>/<class>/{_layout_hint(data, folders)}"
    )


def _layout_hint(data: Path, folders: list[str]) -> str:
    inner = Counter(name for folder in folders for name in list_subfolders(data / folder))
    if any(count > 1 for count in inner.values()):
        return f"; for one folder per domain say --suite domains --id {folders[0]}"
    if folders and not inner:
        return f"; if {folders[0]} is a class, move the class folders into {data}/train"
    return ""
