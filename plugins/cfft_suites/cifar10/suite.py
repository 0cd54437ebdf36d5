"""The suite `cifar10`: ten classes, measured on the published shifts that are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from cfft import (
    DataError,
    EvaluationSets,
    Expected,
    PictureSet,
    SuiteSets,
    class_folders,
    param,
    suite,
)
from cfft_suites.parts import folders_in, hold_out
from cfft_suites.selection import Selection, Source, first_folder, open_sources

from .files import read_archive, read_arrays, read_batches, read_corruption
from .pictures import CLASSES

_TEST = "cifar10"
_STANDARD = (_TEST, "cifar10.1", "cifar10.2")
_BATCHES = ("cifar-10-batches-py", ".")
_V1 = ("CIFAR-10.1/datasets", "CIFAR-10.1", ".")
_V2 = ("cifar-10.2", "CIFAR-10.2", ".")
_FILES: Mapping[str, tuple[Sequence[str], tuple[str, ...]]] = {
    "cifar10.1": (_V1, ("cifar10.1_v6_data.npy", "cifar10.1_v6_labels.npy")),
    "cifar10.1-v4": (_V1, ("cifar10.1_v4_data.npy", "cifar10.1_v4_labels.npy")),
    "cifar10.2": (_V2, ("cifar102_test.npz",)),
}
"""Folders that a reproduction may lie in, and its files, by set."""
_TRAINING = f"{_TEST}-train"
_COMPLETE: Mapping[str, Expected] = {
    _TRAINING: Expected(50_000, 10, per_class=5000),
    _TEST: Expected(10_000, 10, per_class=1000),
    "cifar10.1": Expected(2000, 10),
    "cifar10.1-v4": Expected(2021, 10),
    "cifar10.2": Expected(2000, 10),
}
"""What complete sets hold, as their authors publish it."""
_CORRUPTED = ("CIFAR-10-C", ".")


@suite("cifar10")
class Cifar10Suite:
    """Measure on CIFAR-10, CIFAR-10.1, CIFAR-10.2 and CIFAR-10-C; train on CIFAR-10.

    DIR holds the sets as they are published, any of them; CIFAR-10 itself may also lie in
    train/<class>/* and test/<class>/*. The others are listed as absent. The corruptions of
    CIFAR-10-C, each one set with all `severities` in it, take the place of the other OOD sets.
    """

    data: Path = param(help="folder that holds cifar-10-batches-py, CIFAR-10-C, ...")
    sets: tuple[str, ...] | None = param(
        None, help="sets to measure, which must be there; none: cifar10, 10.1 and 10.2, if there"
    )
    corruptions: tuple[str, ...] | None = param(
        None,
        help="corruptions to measure: names, noise, blur, weather, digital or all",
    )
    severities: tuple[int, ...] = param(
        (1, 2, 3, 4, 5), help="severities of the corruptions", ge=1, le=5
    )
    val: int = param(5000, help="training pictures held out for validation", ge=10)

    known_sets: ClassVar[tuple[str, ...]] = (_TEST, *_FILES, "15 corruptions")

    def __attrs_post_init__(self) -> None:
        self._selection.check("cifar10", (_TEST, *_FILES), _TEST)

    def expected(self) -> Mapping[str, Expected]:
        """Return what the chosen sets and the training pictures hold if they are complete."""
        chosen, each = self._selection, len(self.severities)
        names = (_TRAINING, *chosen.set_names(_STANDARD, _TEST))
        corrupted = Expected(10_000 * each, 10, per_class=1000 * each)
        corruptions = dict.fromkeys(chosen.corruption_names(), corrupted)
        return {name: _COMPLETE[name] for name in names} | corruptions

    def evaluation(self, seed: int) -> EvaluationSets:
        """Return the sets that are there; `seed` changes nothing.

        Raises DataError for a wrong directory.
        """
        folders_in(self.data, "cifar-10-batches-py/, CIFAR-10-C/, ...")
        chosen = self._selection
        sources = [self._source(name) for name in chosen.set_names(_STANDARD, _TEST)]
        sources += [self._corruption(name) for name in chosen.corruption_names()]
        return open_sources(self.data, sources, chosen).for_evaluation(CLASSES, _TEST)

    def open(self, seed: int) -> SuiteSets:
        """Return the sets with those to train on; the validation part is drawn from `seed`.

        Raises as `evaluation` does, and DataError without training pictures or the test set.
        """
        measured = self.evaluation(seed)
        training = self._original("train", [f"data_batch_{number}" for number in range(1, 6)])
        if measured.test is None or training is None:
            missing = "test" if training else "training"
            needed = f"no {missing} pictures of CIFAR-10 in {self.data}, to train with"
            raise DataError(measured.refused.get(_TEST, needed))
        train, val = hold_out(training, self.val, seed)
        return SuiteSets(
            classes=measured.classes,
            train=train,
            val=val,
            test=measured.test,
            ood=measured.ood,
            refused=measured.refused,
            absent=measured.absent,
        )

    @property
    def _selection(self) -> Selection:
        return Selection(self.sets, self.corruptions, self.severities)

    def _source(self, name: str) -> Source:
        if name == _TEST:
            find = partial(self._original, "test", ["test_batch"])
            return Source(name, ("cifar-10-batches-py/test_batch", "test_batch", "test"), find)
        folders, files = _FILES[name]
        looked_for = tuple(f"{folder}/{files[0]}".removeprefix("./") for folder in folders)
        read: Callable[..., PictureSet] = read_arrays if len(files) > 1 else read_archive
        return Source(name, looked_for, partial(self._reproduction, name, read))

    def _corruption(self, name: str) -> Source:
        def find() -> PictureSet | None:
            folder = _folder_with(self.data, _CORRUPTED, f"{name}.npy")
            return read_corruption(folder, name, self.severities) if folder else None

        return Source(name, (f"CIFAR-10-C/{name}.npy", f"{name}.npy"), find)

    def _reproduction(self, name: str, read: Callable[..., PictureSet]) -> PictureSet | None:
        folders, files = _FILES[name]
        folder = _folder_with(self.data, folders, files[0])
        return read(name, *(folder / file for file in files)) if folder else None

    def _original(self, part: str, batches: Sequence[str]) -> PictureSet | None:
        folder = _folder_with(self.data, _BATCHES, batches[0])
        name = _TEST if part == "test" else _TRAINING
        if folder:
            return read_batches(name, [folder / batch for batch in batches])
        pictures = first_folder(self.data, (part,))
        return class_folders(pictures, name, CLASSES) if pictures else None


def _folder_with(data: Path, folders: Sequence[str], file: str) -> Path | None:
    return next((data / folder for folder in folders if (data / folder / file).is_file()), None)
