"""The suite `cifar10`: ten classes, measured on the published shifts that are there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from cfft import DataError, EvaluationSets, Expected, ImageSet, Suite, SuiteSets, param, suite
from cfft_suites.example import write_images
from cfft_suites.parts import folders_in
from cfft_suites.selection import NamedSource, Selection, around, open_sources

from .files import read_corruption
from .images import CLASSES
from .layouts import (
    COMPLETE,
    CORRUPTED,
    SETS,
    STANDARD,
    TEST,
    TRAINING,
    find_set,
    folder_with,
    looked_for,
)


@suite("cifar10")
class Cifar10Suite(Suite):
    """Measure on CIFAR-10, CIFAR-10.1, CIFAR-10.2 and CIFAR-10-C; train on CIFAR-10.

    DIR holds any of the sets as published; CIFAR-10 itself may also be in train/<class>/* and
    test/<class>/*. The others are listed as absent. The corruptions of
    CIFAR-10-C, each one set with all `severities` in it, take the place of the other OOD sets.
    """

    data: Path = param(help="folder that holds cifar-10-batches-py, CIFAR-10-C, ...")
    sets: tuple[str, ...] | None = param(
        None, help="sets to measure, all required; none: those of cifar10, 10.1 and 10.2 that exist"
    )
    corruptions: tuple[str, ...] | None = param(
        None,
        help="corruptions to measure: names, noise, blur, weather, digital or all",
    )
    severities: tuple[int, ...] = param(
        (1, 2, 3, 4, 5), help="severities of the corruptions", ge=1, le=5
    )
    val: int = param(5000, help="training images held out for validation", ge=10)

    known_sets: ClassVar[tuple[str, ...]] = (*SETS, "15 corruptions")
    only_measured: ClassVar[tuple[str, ...]] = ("sets", "corruptions", "severities")

    def __attrs_post_init__(self) -> None:
        self._selection.check("cifar10", SETS, TEST)

    @classmethod
    def example(cls, folder: Path) -> Mapping[str, Any]:
        """Write a test set of class folders."""
        write_images(folder / "test", classes=CLASSES)
        return {"data": folder}

    def expected(self) -> Mapping[str, Expected]:
        """Return what the chosen sets and the training images hold if they are complete."""
        chosen, each = self._selection, len(self.severities)
        names = (TRAINING, *chosen.set_names(STANDARD, TEST))
        corrupted = Expected(10_000 * each, 10, per_class=1000 * each)
        corruptions = dict.fromkeys(chosen.corruption_names(), corrupted)
        return {name: COMPLETE[name] for name in names} | corruptions

    def evaluation(self, seed: int) -> EvaluationSets:
        """Return the sets that are there; `seed` changes nothing, they are opened once.

        Raises DataError for a wrong directory.
        """
        return self._measured

    def open(self, seed: int) -> SuiteSets:
        """Return the sets with those to train on; the validation part is drawn from `seed`.

        Raises as `evaluation` does, and DataError without training images or the test set.
        """
        measured = self.evaluation(seed)
        training = find_set(self.data, TRAINING)
        if measured.test is None or training is None:
            missing = "test" if training else "training"
            needed = f"no {missing} images of CIFAR-10 in {self.data}, to train with"
            raise DataError(measured.refused.get(TEST, needed))
        return around(training, self.val, seed, measured.test, measured)

    @cached_property
    def _measured(self) -> EvaluationSets:
        folders_in(self.data, "cifar-10-batches-py/, CIFAR-10-C/, ...")
        chosen = self._selection
        sources = [self._source(name) for name in chosen.set_names(STANDARD, TEST)]
        sources += [self._corruption(name) for name in chosen.corruption_names()]
        return open_sources(self.data, sources, chosen).for_evaluation(CLASSES, TEST)

    @property
    def _selection(self) -> Selection:
        return Selection(self.sets, self.corruptions, self.severities)

    def _source(self, name: str) -> NamedSource:
        return NamedSource(name, looked_for(name), partial(find_set, self.data, name))

    def _corruption(self, name: str) -> NamedSource:
        def find() -> ImageSet | None:
            folder = folder_with(self.data, CORRUPTED, f"{name}.npy")
            return read_corruption(folder, name, self.severities) if folder else None

        return NamedSource(name, (f"CIFAR-10-C/{name}.npy", f"{name}.npy"), find)
