"""The suite `folder`: training, validation, test and OOD images in folders of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

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

from .example import write_images
from .parts import PARTS, Percentages, Readers, check_split, complete_sets, folders_in, open_each

VALIDATION = ("val", "valid", "validation")
"""Folders that may hold the validation images; one of them, as other programs write them."""
_OOD = "ood"
_MEANT = {
    "training": "train",
    "testing": "test",
    **{name: name for name in (*PARTS, *VALIDATION, _OOD)},
}
"""Folders to suggest where another spelling is found, in small letters."""


@suite("folder")
class FolderSuite(Suite):
    """Train on DIR/train/<class>/*, test on DIR/test and on each DIR/ood/<name>.

    Without DIR/train the others can be measured on. Their classes are then those that classes.txt
    (as folder<TAB>name) or classes.toml names, or else all their folders.

    A part without a folder, DIR/val or DIR/test, is drawn from DIR/train, each class for itself,
    from the run's seed: with both missing the training images are divided as `split` says, with
    one missing in the proportion of train to that part. Where the training set has a class, the
    other sets may lack it, but never the other way round. DIR/valid and DIR/validation are other
    spellings of DIR/val. DIR may hold classes.txt or
    classes.toml with the class names.
    """

    data: Path = param(help="folder that holds train, and optionally val, test and ood")
    split: Percentages = param(
        (70.0, 10.0, 20.0), help="shares of train/val/test, for parts without a folder"
    )

    known_sets: ClassVar[tuple[str, ...]] = (*PARTS, "every folder in ood/")

    def __attrs_post_init__(self) -> None:
        check_split("folder", self.split)

    @classmethod
    def example(cls, folder: Path) -> Mapping[str, Any]:
        """Write a training set and an OOD set."""
        write_images(folder / "train")
        write_images(folder / _OOD / "dark", shade=60)
        return {"data": folder}

    def open(self, seed: int) -> SuiteSets:
        """Return the sets; raises DataError where train/ is missing or has no classes."""
        folders = folders_in(self.data, "train/, and optionally val/, test/ and ood/")
        _check_spelling(self.data, folders)
        if "train" not in folders:
            raise DataError(_no_train(self.data, folders))
        _check_class_folders(self.data, "train")
        table = training_class_names(self.data / "train", names_in=self.data)
        validation = next((name for name in VALIDATION if name in folders), "val")
        places = {"val": validation, "test": "test"}
        roots = {name: self.data / place for name, place in places.items() if place in folders}
        whole = class_folders(self.data / "train", "train", table)
        given, shifts = _readers(roots, table), _readers(self._ood_roots(folders), table)
        return complete_sets(
            whole, whole.class_names, given, shifts, self.split, seed, _remedy(given)
        )

    def evaluation(self, seed: int) -> EvaluationSets:
        """Return the sets to measure on, for which no training images have to be there.

        With them, classes and a drawn test part are those of `open`; raises as it does.
        """
        folders = folders_in(self.data, "test/ or ood/")
        if "train" in folders:
            return self.open(seed).for_evaluation()
        return self._without_training(folders)

    def unread(self) -> tuple[str, ...]:
        """Name the folders in DIR that are no part and hold folders, as sets do."""
        known = (*PARTS, *VALIDATION, _OOD)
        names = list_subfolders(self.data) if self.data.is_dir() else []
        return tuple(
            name for name in names if name not in known and _holds_folders(self.data / name)
        )

    def _without_training(self, folders: list[str]) -> EvaluationSets:
        _check_spelling(self.data, folders)
        test = {"test": self.data / "test"} if "test" in folders else {}
        roots = {**test, **self._ood_roots(folders)}
        if not roots:
            raise DataError(_no_train(self.data, folders))
        for part in test:
            _check_class_folders(self.data, part)
        table = evaluation_class_names(tuple(roots.values()), self.data)
        found, refused = open_each(_readers(roots, table))
        return EvaluationSets(
            classes=tuple(table.values()),
            test=found.pop("test", None),
            ood=tuple(found.values()),
            absent={} if test else {"test": f"looked for test in {self.data}"},
            refused=refused,
        )

    def _ood_roots(self, folders: Collection[str]) -> dict[str, Path]:
        ood = self.data / _OOD
        names = list_subfolders(ood) if _OOD in folders else []
        taken = [name for name in names if name in PARTS]
        if taken:
            raise DataError(
                f"{ood / taken[0]}: '{taken[0]}' is an in-distribution part; rename the folder"
            )
        return {name: ood / name for name in names}


def _readers(roots: Mapping[str, Path], table: Mapping[str, str]) -> Readers[ImageFiles]:
    """Return who reads the sets in these folders, by name."""
    return {name: partial(class_folders, root, name, table) for name, root in roots.items()}


def _check_spelling(data: Path, folders: Sequence[str]) -> None:
    """Raise DataError for folders that are probably meant as a set and would not be read."""
    validation = [name for name in VALIDATION if name in folders]
    if len(validation) > 1:
        raise DataError(f"{data} holds {' and '.join(validation)}: keep one of them")
    wrong = {name: _MEANT[name.casefold()] for name in folders if name.casefold() in _MEANT}
    problems = [
        f"{data / name} is read as no set: did you mean '{meant}'? Rename the folder"
        for name, meant in wrong.items()
        if name not in (*PARTS, *VALIDATION, _OOD)
        and meant not in folders
        and _holds_folders(data / name)
    ]
    if problems:
        raise DataError(*problems)


def _check_class_folders(data: Path, part: str) -> None:
    """Raise DataError for a part whose images lie in no class folders, as a list may name them."""
    root = data / part
    if list_subfolders(root) or not len(class_folders(data, part, (part,), only=(part,))):
        return
    found = _lists_of(data, part)
    place = found or data / "labels.csv"
    columns = "" if found else ", a file with the columns image and label"
    raise DataError(
        f"images lie directly in {root}: put them in {root}/CLASS/, or let a list say their "
        f"classes: --suite lists --data {place}{columns}"
    )


def _lists_of(data: Path, part: str) -> Path | None:
    """Return the file, or the folder of several, that may list a part's images, or None."""
    beside = {*data.glob("*.csv"), *data.glob(f"{part}*.txt")}
    if len(beside) > 1:
        return data
    return next(iter(beside or sorted((data / part).glob("*.csv"))), None)


def _holds_folders(place: Path) -> bool:
    return place.is_dir() and bool(list_subfolders(place))


def _remedy(given: Collection[str]) -> str:
    folders = " and ".join(f"{name}/" for name in PARTS[1:] if name not in given)
    return f", or give {folders} as folders of their own"


def _no_train(data: Path, folders: list[str]) -> str:
    return (
        f"{data} has no folder 'train'; the suite folder expects {data}/train/<class>/ and "
        f"optionally val/<class>/, test/<class>/, ood/<name>/<class>/{_layout_hint(data, folders)}"
    )


def _layout_hint(data: Path, folders: list[str]) -> str:
    there = [data / folder for folder in folders if (data / folder).is_dir()]
    inner = Counter(name for folder in there for name in list_subfolders(folder))
    if any(count > 1 for count in inner.values()):
        return f"; for one folder per domain say --suite domains --id {folders[0]}"
    if not inner and (found := _lists_of(data, "train")):
        return f"; for classes in a list say --suite lists --data {found}"
    if folders and not inner:
        return f"; if {folders[0]} is a class, move the class folders into {data}/train"
    return ""
