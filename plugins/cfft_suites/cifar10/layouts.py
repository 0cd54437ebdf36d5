"""Folders and files of CIFAR-10 and its reproductions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

from cfft import Expected, ImageSet, class_folders
from cfft_suites.selection import first_folder

from .files import read_archive, read_arrays, read_batches, read_binary_batches, read_dictionary
from .images import CLASSES

TEST = "cifar10"
TRAINING = "cifar10-train"
STANDARD = (TEST, "cifar10.1", "cifar10.2")
COMPLETE: Mapping[str, Expected] = {
    TRAINING: Expected(50_000, 10, per_class=5000),
    TEST: Expected(10_000, 10, per_class=1000),
    "cifar10.1": Expected(2000, 10),
    "cifar10.1-v4": Expected(2021, 10),
    "cifar10.2": Expected(2000, 10),
}
"""Published sizes of the complete sets."""
CORRUPTED = ("CIFAR-10-C", ".")
"""Folders that the files of CIFAR-10-C may lie in."""


@attrs.frozen(eq=False)
class Published:
    """Describe one form that a set is published in.

    `folders`: those below the suite's directory that it may lie in, the usual one first. `files`:
    what lies there. `read`: gives the set of a name from their paths.
    """

    folders: tuple[str, ...]
    files: tuple[str, ...]
    read: Callable[[str, Sequence[Path]], ImageSet]

    def find(self, data: Path, name: str) -> ImageSet | None:
        """Return the set, None where the first of its files is nowhere; raises DataError."""
        folder = folder_with(data, self.folders, self.files[0])
        return self.read(name, [folder / file for file in self.files]) if folder else None


_PYTHON, _BINARY = ("cifar-10-batches-py", "."), ("cifar-10-batches-bin", ".")
_OF_10_1 = ("CIFAR-10.1/datasets", "CIFAR-10.1-master/datasets", "CIFAR-10.1", ".")
_OF_10_2 = ("cifar-10.2", "cifar-10.2-master", "CIFAR-10.2", ".")
_TRAIN_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_PUBLISHED: Mapping[str, tuple[Published, ...]] = {
    TRAINING: (
        Published(_PYTHON, _TRAIN_BATCHES, read_batches),
        Published(_BINARY, tuple(f"{b}.bin" for b in _TRAIN_BATCHES), read_binary_batches),
    ),
    TEST: (
        Published(_PYTHON, ("test_batch",), read_batches),
        Published(_BINARY, ("test_batch.bin",), read_binary_batches),
    ),
    "cifar10.1": (
        Published(_OF_10_1, ("cifar10.1_v6_data.npy", "cifar10.1_v6_labels.npy"), read_arrays),
    ),
    "cifar10.1-v4": (
        Published(_OF_10_1, ("cifar10.1_v4_data.npy", "cifar10.1_v4_labels.npy"), read_arrays),
    ),
    "cifar10.2": (
        Published(_OF_10_2, ("cifar102_test.npz",), read_archive),
        Published(_OF_10_2, ("cifar102_test.npy",), read_dictionary),
    ),
}
_CLASS_FOLDERS = {TRAINING: "train", TEST: "test"}
SETS = tuple(name for name in _PUBLISHED if name != TRAINING)


def looked_for(name: str) -> tuple[str, ...]:
    """Return where a set may lie below the suite's directory, for each form its usual place."""
    own = (_CLASS_FOLDERS[name],) if name in _CLASS_FOLDERS else ()
    return (*(f"{form.folders[0]}/{form.files[0]}" for form in _PUBLISHED[name]), *own)


def find_set(data: Path, name: str) -> ImageSet | None:
    """Return a set in the first form that is there, or None; raises DataError for damage."""
    for form in _PUBLISHED[name]:
        found = form.find(data, name)
        if found is not None:
            return found
    folder = first_folder(data, (_CLASS_FOLDERS[name],)) if name in _CLASS_FOLDERS else None
    return class_folders(folder, name, CLASSES) if folder else None


def folder_with(data: Path, folders: Sequence[str], file: str) -> Path | None:
    """Return the first of `folders` below `data` that holds `file`, or None."""
    return next((data / folder for folder in folders if (data / folder / file).is_file()), None)
