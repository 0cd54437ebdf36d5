"""The suite `lists`: images and classes from CSV files and list files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import attrs

from cfft import (
    DataError,
    EvaluationSets,
    ImageFiles,
    Suite,
    SuiteSets,
    param,
    shortened_list,
    suite,
)
from cfft_suites.example import write_images
from cfft_suites.parts import PARTS, Percentages, check_split, complete_sets

from .classes import ClassTable, listed_classes, named_classes
from .entries import Entry
from .files import chosen_lists, list_files
from .places import Places
from .reading import read_entries
from .sets import grouped, image_sets, in_distribution
from .tables import Columns

_CLASSES = "classes.txt"


@attrs.frozen(eq=False)
class ListedSets:
    """Hold the class names, and the sets by name: train, val and test, then the OOD sets."""

    classes: tuple[str, ...]
    sets: dict[str, ImageFiles]

    @property
    def ood(self) -> dict[str, ImageFiles]:
        """The OOD sets by name."""
        return {name: images for name, images in self.sets.items() if name not in PARTS}


@suite("lists")
class ListsSuite(Suite):
    """Read images and classes from CSV files or lists of `path label`.

    CSV files have a header; the columns of paths, classes, parts (train, val, test) and domains are
    found by their usual names. What columns do not say, the name of a file does: train.csv,
    val.txt, clipart_test.txt; any other list beside them is an OOD set of that name. Paths may lack
    their suffix, and may start from train/, images/ and the like beside the list. A line without a
    label has the class of its folder. Parts that no list names are drawn from train, each class for
    itself, from the run's seed. classes.txt beside the lists names the classes: in the order of the
    numbers from 0, or as label<TAB>name.
    """

    data: Path = param(help="CSV or list file, or folder of such files")
    files: tuple[str, ...] | None = param(
        None, help="lists in that folder to read; none: all .csv, .tsv, .txt and .lst"
    )
    root: Path | None = param(None, help="folder that paths start from; none: that of the lists")
    classes: Path | None = param(
        None, help="file of class names; none: classes.txt beside the lists, else the labels"
    )
    image_column: str | None = param(
        None, help="column of images' paths; none: path, filename, image, id or the like"
    )
    label_column: str | None = param(
        None, help="column of classes; none: class, label, category, target or the like"
    )
    split_column: str | None = param(
        None, help="column of train, val, test or an OOD set; '' for no column; none: split, ..."
    )
    domain_column: str | None = param(
        None, help="column of domains; '' for no column; none: domain"
    )
    id: str | None = param(
        None, help="in-distribution domain where lists name several, or all; the others are OOD"
    )
    split: Percentages = param((70.0, 10.0, 20.0), help="train/val/test, for parts without a list")

    known_sets: ClassVar[tuple[str, ...]] = (*PARTS, "every other list, split or domain")

    def __attrs_post_init__(self) -> None:
        check_split("lists", self.split)

    @classmethod
    def example(cls, folder: Path) -> Mapping[str, Any]:
        """Write a list of training images and one of an OOD set."""
        for shade, name in ((0, "train"), (60, "dark")):
            written = write_images(folder / "images" / name, shade)
            lines = (f"{path.relative_to(folder).as_posix()},{label}" for path, label in written)
            (folder / f"{name}.csv").write_text("\n".join(["path,label", *lines]), "utf-8")
        return {"data": folder}

    def open(self, seed: int) -> SuiteSets:
        """Return the sets; raises DataError for lists that cannot be read or have no training."""
        found = self._found
        if "train" not in found.sets:
            raise DataError(
                f"no images to train on: {self.data} lists {shortened_list(found.sets)}; "
                "a list train.csv or train.txt, or 'train' in a column 'split', names them"
            )
        whole = found.sets["train"]
        given = {name: _opened(found.sets[name]) for name in PARTS[1:] if name in found.sets}
        shifts = {name: _opened(images) for name, images in found.ood.items()}
        lacking = " and ".join(name for name in PARTS[1:] if name not in given)
        remedy = f", or list {lacking}"
        return complete_sets(whole, found.classes, given, shifts, self.split, seed, remedy)

    def evaluation(self, seed: int) -> EvaluationSets:
        """Return the sets to measure on; raises as `open` does where the test set is drawn.

        Without images to train on, those of `val` are the ID test set where there is no `test`.
        """
        sets = self._found.sets
        if "train" in sets and "test" not in sets:
            return self.open(seed).for_evaluation()
        test = sets.get("test", sets.get("val"))
        return EvaluationSets(
            classes=self._found.classes,
            test=test,
            ood=tuple(self._found.ood.values()),
            absent={} if test else {"test": f"no list in {self.data} names test images"},
        )

    def unread(self) -> tuple[str, ...]:
        """Name the files beside the lists that look like lists and are not read."""
        if not self.data.is_dir():
            return ()
        try:
            read = {path.resolve() for path in (*self._lists, self._class_names) if path}
        except DataError:  # which the sets tell
            return ()
        there = list_files(self.data)
        return tuple(name for name in there if (self.data / name).resolve() not in read)

    @cached_property
    def _found(self) -> ListedSets:
        root = self.root or self._folder
        entries = self._entries()
        own = in_distribution(entries, self.id, self.data)
        places = Places(root)
        groups = grouped(map(places.locate, entries), own)
        trained = [image.entry for image in groups.get("train", ())]
        table = self._table(trained or entries, entries)
        return ListedSets(table.names, image_sets(groups, places, table))

    def _entries(self) -> list[Entry]:
        columns = Columns(
            self.image_column, self.label_column, self.split_column, self.domain_column
        )
        found: list[Entry] = []
        problems: list[str] = []
        good: list[str] = []
        for path in self._lists:
            try:
                found += read_entries(path, columns)
                good.append(path.name)
            except DataError as error:
                problems += error.problems
        if problems:
            choice = f"read the other lists alone: --files {','.join(good)}"
            raise DataError(*problems, *([choice] if good else []))
        return found

    def _table(self, trained: Iterable[Entry], entries: Iterable[Entry]) -> ClassTable:
        path = self._class_names
        if path is None:
            try:
                return listed_classes([*trained])
            except DataError as error:
                raise DataError(f"{self.data}: {error}") from error
        return named_classes(path, {entry.label for entry in entries})

    @property
    def _folder(self) -> Path:
        return self.data if self.data.is_dir() else self.data.parent

    @property
    def _class_names(self) -> Path | None:
        beside = self._folder / _CLASSES
        return self.classes or (beside if beside.is_file() else None)

    @property
    def _lists(self) -> list[Path]:
        return chosen_lists(self.data, self.files, self.classes)


def _opened(images: ImageFiles) -> Callable[[], ImageFiles]:
    return lambda: images
