"""The suite `webdataset`: images in WebDataset tars, local or by URL."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

from cfft import DataError, EvaluationSets, Suite, SuiteSets, param, suite
from cfft_suites.example import write_images
from cfft_suites.extras import extra_module, named_sources, read_class_names
from cfft_suites.parts import PARTS, Percentages, Readers, check_split, complete_sets, open_each

from .shards import REQUIRES, find_shards
from .tars import Keys, TarImages, tar_images


@suite("webdataset")
class WebDatasetSuite(Suite):
    """Read WebDataset tars, local or by URL, without unpacking them.

    Sets are patterns with braces: train-{000..099}.tar, https://HOST/test/{0..9}.tar. Tars are
    not compressed; a tar with a URL is downloaded once into `cache`. Labels are class indices, as
    WebDataset writes them, and `classes` names them. Parts without a pattern are drawn from
    `train`, each class for itself, from the run's seed.
    """

    classes: Path = param(help="file with one class name per line, in the order of the labels")
    data: Path | None = param(None, help="folder that patterns without a URL start from")
    train_tars: str | None = param(None, help="tars to train on; none: only measure")
    val_tars: str | None = param(None, help="tars to validate on; none: drawn from train")
    test_tars: str | None = param(None, help="tars of the ID test set; none: drawn from train")
    ood: str = param("", help="OOD sets: NAME=PATTERN, several with ; between")
    split: Percentages = param(
        (70.0, 10.0, 20.0), help="train/val/test, for parts without a pattern"
    )
    image_keys: tuple[str, ...] = param(("jpg", "jpeg", "png", "webp"), help="extensions of images")
    label_key: str = param("cls", help="extension of labels")
    cache: Path | None = param(None, help="folder for downloaded tars; none: the user's cache")
    requires: ClassVar[Mapping[str, str]] = REQUIRES
    known_sets: ClassVar[tuple[str, ...]] = (*PARTS, "every name in ood")
    only_measured: ClassVar[tuple[str, ...]] = ("cache",)

    def __attrs_post_init__(self) -> None:
        check_split("webdataset", self.split)
        named_sources("webdataset", self.ood)

    @classmethod
    def example(cls, folder: Path) -> Mapping[str, Any]:
        """Write a tar of training images."""
        written = write_images(folder / "images")
        names = tuple(dict.fromkeys(label for _, label in written))
        with tarfile.open(folder / "train.tar", "w") as tar:
            for number, (path, label) in enumerate(written):
                tar.add(path, f"{number}.png")
                content = str(names.index(label)).encode()
                entry = tarfile.TarInfo(f"{number}.cls")
                entry.size = len(content)
                tar.addfile(entry, BytesIO(content))
        (folder / "classes.txt").write_text("\n".join(names), "utf-8")
        return {"data": folder, "classes": folder / "classes.txt", "train_tars": "train.tar"}

    def open(self, seed: int) -> SuiteSets:
        """Return the sets; raises DataError for tars that are missing, broken or do not fit."""
        if self.train_tars is None:
            raise DataError(
                "the suite webdataset has no images to train on: give --train-tars TARS"
            )
        names = read_class_names(self.classes)
        whole = self._readers({"train": self.train_tars}, names)["train"]()
        given = {"val": self.val_tars, "test": self.test_tars}
        patterns = {name: pattern for name, pattern in given.items() if pattern is not None}
        parts, shifts = (
            {name: partial(_trained, whole, find) for name, find in readers.items()}
            for readers in (self._readers(patterns, names), self._readers(self._shifts, names))
        )
        return complete_sets(whole, names, parts, shifts, self.split, seed)

    def evaluation(self, seed: int) -> EvaluationSets:
        """Return the sets to measure on, without opening `train` unless the test set is in it."""
        if self.test_tars is None and self.train_tars is not None:
            return self.open(seed).for_evaluation()
        names = read_class_names(self.classes)
        test = {} if self.test_tars is None else {"test": self.test_tars}
        parts, broken = open_each(self._readers(test, names))
        ood, refused = open_each(self._readers(self._shifts, names))
        return EvaluationSets(
            names, parts.get("test"), tuple(ood.values()), refused={**broken, **refused}
        )

    @property
    def _shifts(self) -> dict[str, str]:
        return named_sources("webdataset", self.ood)

    def _readers(self, patterns: Mapping[str, str], names: tuple[str, ...]) -> Readers[TarImages]:
        """Return who reads the sets with these patterns; their classes are called `names`."""
        library = extra_module("webdataset", "webdataset.tariterators", REQUIRES)
        keys = Keys(self.image_keys, self.label_key, library.base_plus_ext)
        return {
            name: partial(self._set, name, pattern, names, keys)
            for name, pattern in patterns.items()
        }

    def _set(self, name: str, pattern: str, names: tuple[str, ...], keys: Keys) -> TarImages:
        shards = find_shards(name, pattern, self.data, self.cache)
        return tar_images(name, shards, names, keys)


def _trained(whole: TarImages, find: Callable[[], TarImages]) -> TarImages:
    """Open a set; raises DataError where it has a class that training lacks, as folders would."""
    images = find()
    strange = [label for label in images.classes if label not in whole.classes]
    if strange:
        first = images.labels.index(strange[0])
        raise DataError(
            f"set '{images.name}' has classes that training lacks ({len(strange)}), such as "
            f"'{images.class_names[strange[0]]}' in {images.identify(first)}"
        )
    return images
