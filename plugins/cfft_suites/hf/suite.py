"""The suite `hf`: datasets of the Hugging Face Hub, or saved by its library."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from cfft import (
    ConfigError,
    DataError,
    EvaluationSets,
    Suite,
    SuiteSets,
    param,
    suite,
    unknown_name,
)
from cfft_suites.extras import extra_module, named_sources, read_class_names
from cfft_suites.parts import PARTS, Percentages, Readers, check_split, complete_sets, open_each

from .images import Columns, HfImages, hf_images, hf_images_like

_REQUIRES = {"datasets": "cfft[hf]"}


@suite("hf")
class HfSuite(Suite):
    """Read datasets of the Hugging Face Hub, or folders that `datasets` reads.

    Images and labels are found by the columns' types, Image and ClassLabel; labels may be words
    too, or numbers that `classes` names. An OOD set is another split, or a split of another
    dataset, whose classes are matched by name, whatever their order, and may be fewer. Parts
    without a split are drawn from `train`, each class for itself, from the run's seed.
    """

    data: Path | None = param(
        None, help="folder written by save_to_disk, or of parquet or image files"
    )
    dataset: str | None = param(None, help="name on the Hub, in place of a folder: OWNER/NAME")
    subset: str | None = param(None, help="configuration of the dataset, where it has several")
    train_split: str | None = param("train", help="split to train on; none: only measure")
    val_split: str | None = param(None, help="split to validate on; none: drawn from train")
    test_split: str | None = param(None, help="split of the ID test set; none: drawn from train")
    ood: str = param(
        "",
        help="OOD sets, several with ; between: NAME=SPLIT, NAME=DATASET:SPLIT, "
        "NAME=DATASET[CONFIG]:SPLIT, where DATASET may be a folder",
    )
    split: Percentages = param((70.0, 10.0, 20.0), help="train/val/test, for parts without a split")
    image_column: str | None = param(None, help="column of images; none: found by its type")
    label_column: str | None = param(None, help="column of labels; none: found by its type")
    classes: Path | None = param(
        None, help="file with one class name per line, for labels without names or with others"
    )
    requires: ClassVar[Mapping[str, str]] = _REQUIRES
    known_sets: ClassVar[tuple[str, ...]] = (*PARTS, "every name in ood")

    def __attrs_post_init__(self) -> None:
        check_split("hf", self.split)
        named_sources("hf", self.ood)
        if (self.data is None) == (self.dataset is None):
            raise ConfigError("suite.hf: give a folder (--data) or a name on the Hub (--dataset)")

    def open(self, seed: int) -> SuiteSets:
        """Return the sets; raises DataError for what cannot be loaded and what does not fit."""
        if self.train_split is None:
            raise DataError("the suite hf has no images to train on: remove --train-split none")
        splits = self._splits()
        whole = hf_images("train", _split(splits, self.train_split), self._columns())
        given = {
            name: partial(_like, whole, name, partial(_split, splits, split))
            for name, split in {"val": self.val_split, "test": self.test_split}.items()
            if split is not None
        }
        return complete_sets(
            whole, whole.class_names, given, self._shifts(splits, whole), self.split, seed
        )

    def evaluation(self, seed: int) -> EvaluationSets:
        """Return the sets to measure on; classes are numbered as in `train`, else in `test`."""
        if self.train_split is not None:
            return self.open(seed).for_evaluation()
        if self.test_split is None:
            raise DataError(
                "the suite hf needs a split for the ID test set: give --test-split NAME"
            )
        splits = self._splits()
        test = hf_images("test", _split(splits, self.test_split), self._columns())
        ood, refused = open_each(self._shifts(splits, test))
        return EvaluationSets(test.class_names, test, tuple(ood.values()), refused=refused)

    def _shifts(self, splits: Mapping[str, Any], first: HfImages) -> Readers[HfImages]:
        """Return who reads the OOD sets, by columns and classes of `first`."""
        return {
            name: partial(_like, first, name, partial(self._source, splits, text))
            for name, text in named_sources("hf", self.ood).items()
        }

    def _columns(self) -> Columns:
        names = None if self.classes is None else read_class_names(self.classes)
        twice = [name for name, count in Counter(names or ()).items() if count > 1]
        if twice:
            raise DataError(
                f"class names {self.classes}: '{twice[0]}' occurs twice, and classes of "
                "datasets are matched by name"
            )
        return Columns(self.image_column, self.label_column, names)

    def _splits(self) -> Mapping[str, Any]:
        given = self.dataset or self.data or ""
        at_home = Path(given).expanduser()  # which a file does not have done by a shell
        return load_splits(given if at_home == Path(given) else at_home, self.subset)

    def _source(self, splits: Mapping[str, Any], source: str) -> Any:
        where, colon, split = source.rpartition(":")
        if not colon:
            return _split(splits, source)
        where = os.path.expanduser(where)
        folder = (self.data or Path()) / where
        if folder.is_dir():
            return _split(load_splits(folder, None), split)
        name, _, subset = where.removesuffix("]").partition("[")
        folder = (self.data or Path()) / name
        return _split(load_splits(folder if folder.is_dir() else name, subset or None), split)


def load_splits(source: str | Path, subset: str | None) -> Mapping[str, Any]:
    """Return the splits of a dataset by name; raises DataError where it cannot be loaded.

    `source`: a folder, or a name on the Hub.
    """
    library = extra_module("hf", "datasets", _REQUIRES)
    try:
        loaded = _load(library, source, subset)
    except Exception as error:  # readers of many formats, and the network, raise what they like
        reason = f"{' '.join(str(error).split())} ({type(error).__name__})"
        raise DataError(f"suite hf: {source} cannot be loaded: {reason}") from error
    if isinstance(loaded, library.DatasetDict):
        return dict(loaded)
    return {str(loaded.split or "train"): loaded}


def _load(library: Any, source: str | Path, subset: str | None) -> Any:
    if isinstance(source, str):
        return library.load_dataset(source, subset)
    if not source.is_dir():
        raise NotADirectoryError("there is no such folder")
    if not any((source / file).is_file() for file in ("dataset_dict.json", "state.json")):
        return library.load_dataset(str(source), subset)
    if subset is not None:
        raise ValueError(f"save_to_disk wrote a single configuration there; remove '{subset}'")
    return library.load_from_disk(source)


def _like(first: HfImages, name: str, find: Callable[[], Any]) -> HfImages:
    return hf_images_like(first, name, find())


def _split(splits: Mapping[str, Any], name: str) -> Any:
    if name not in splits:
        raise DataError(f"suite hf: {unknown_name('split', name, splits)}")
    return splits[name]
