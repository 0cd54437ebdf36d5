"""The suite `imagenet`: 1,000 classes, measured on the published shifts that are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import attrs

from cfft import (
    DataError,
    EvaluationSets,
    Expected,
    ImageFiles,
    ImageSet,
    Suite,
    SuiteSets,
    list_subfolders,
    param,
    suite,
)
from cfft_suites.example import write_images
from cfft_suites.parts import folders_in
from cfft_suites.selection import NamedSource, Selection, around, first_folder, open_sources

from .bare import read_bare, require_no_single_set
from .corruptions import CorruptedImages, corruption_library
from .facts import facts
from .flat import read_flat
from .layouts import COMPLETE, PLACES, STANDARD, TEST, TRAIN, TRAINING, layout_of
from .objectnet import read_objectnet


@suite("imagenet")
class ImageNetSuite(Suite):
    """Measure on ImageNet, V2, R, Sketch, ObjectNet and A; train on ImageNet.

    DIR holds any of the sets, under the names that the published archives unpack to; the others
    are listed as absent. Only training needs DIR/train. Corruptions are made from the ID
    set on the fly, each one set with all `severities` in it; they take the place of the other OOD
    sets, so that the OOD average is that of ImageNet-C.
    """

    data: Path = param(help="folder that holds val, train, imagenet-r, sketch, ...")
    sets: tuple[str, ...] | None = param(
        None, help="sets to measure, all required; none: those of the paper that exist"
    )
    corruptions: tuple[str, ...] | None = param(
        None,
        help="corruptions to measure: names, noise, blur, weather, digital or all",
    )
    severities: tuple[int, ...] = param(
        (1, 2, 3, 4, 5), help="severities of the corruptions", ge=1, le=5
    )
    border: int = param(2, help="pixels cut off each side of ObjectNet's images", ge=0)
    val: int = param(10_240, help="training images held out for validation", ge=1000)

    known_sets: ClassVar[tuple[str, ...]] = (*PLACES, "15 corruptions (cfft[corruptions])")
    only_measured: ClassVar[tuple[str, ...]] = ("sets", "corruptions", "severities", "border")

    shared_names: ClassVar[tuple[str, ...]] = ("missile", "sunglasses")

    def __attrs_post_init__(self) -> None:
        self._selection.check("imagenet", PLACES, TEST)

    @classmethod
    def example(cls, folder: Path) -> Mapping[str, Any]:
        """Write an ImageNet-Sketch of two classes."""
        write_images(folder / "sketch", classes=tuple(facts().names)[:2])
        return {"data": folder}

    def expected(self) -> Mapping[str, Expected]:
        """Return what the chosen sets and the training images hold if they are complete."""
        names = (TRAINING, *self._selection.set_names(STANDARD, TEST))
        return {name: COMPLETE[name] for name in names}

    def evaluation(self, seed: int) -> EvaluationSets:
        """Return the sets that are there; `seed` changes nothing, they are opened once.

        Raises DataError for a wrong directory, ConfigError where the corruptions' package is
        missing.
        """
        return self._measured

    def open(self, seed: int) -> SuiteSets:
        """Return the sets with those to train on; the validation part is drawn from `seed`.

        Raises as `evaluation` does, and DataError without training images or without the ID set.
        """
        measured = self.evaluation(seed)
        if measured.test is None:
            place = f"{self.data}/{PLACES[TEST][0]}"
            needed = f"the suite imagenet trains with an ID test set: give {place}"
            raise DataError(measured.refused.get(TEST, needed))
        return around(self._training(), self.val, seed, measured.test, measured)

    @cached_property
    def _measured(self) -> EvaluationSets:
        folders_in(self.data, "val/, imagenet-r/, sketch/, ...")
        require_no_single_set(self.data)
        names = self._selection.set_names(STANDARD, TEST)
        found = open_sources(self.data, [*map(self._source, names)], self._selection)
        corrupted = self._corrupted(found.sets.get(TEST))
        return found.for_evaluation(facts().names.values(), TEST, corrupted)

    @property
    def _selection(self) -> Selection:
        return Selection(self.sets, self.corruptions, self.severities)

    def _source(self, name: str) -> NamedSource:
        return NamedSource(name, PLACES[name], partial(self._open_set, name))

    def _open_set(self, name: str) -> ImageSet | None:
        root = first_folder(self.data, PLACES[name])
        if name == TEST:
            return self._test(root)
        if root is None:
            return None
        if name == "objectnet":
            return read_objectnet(root, name, self.border)
        return layout_of(name, root).read(root, name)

    def _test(self, root: Path | None) -> ImageSet | None:
        flat = read_flat(root or self.data, self.data, TEST)
        if flat is not None:
            return flat
        if root is None:
            return read_bare(self.data, asked=TEST in (self.sets or ()))
        return layout_of(TEST).read(root, TEST)

    def _corrupted(self, test: ImageSet | None) -> tuple[CorruptedImages, ...]:
        names = self._selection.corruption_names()
        if test is None or not names:
            return ()
        corruption_library()
        return tuple(CorruptedImages(test, name, self.severities) for name in names)

    def _training(self) -> ImageFiles:
        root = first_folder(self.data, TRAIN)
        if root is None:
            raise DataError(
                f"no training images in {self.data} (looked for {', '.join(TRAIN)}): the "
                "other sets can be measured on, not trained on"
            )
        images = layout_of(TEST).read(root, TRAINING)
        return attrs.evolve(images, faults=(*_lacking(root), *images.faults))


def _lacking(root: Path) -> Iterator[str]:
    """List the classes without training images."""
    names = facts().names
    missing = sorted(set(names).difference(list_subfolders(root)))
    if missing:
        yield (
            f"{root} lacks {len(missing)} of ImageNet's {len(names)} classes, such as "
            f"{missing[0]}: complete it, or train on it with --suite folder"
        )
