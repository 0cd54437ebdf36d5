"""Read CIFAR-10's files: pickled batches and NumPy arrays, none of which may run code.

Not torchvision's CIFAR10: it unpickles whatever passes an MD5 check, so that a copy saved anew is
refused, and what is read could not be tested without the original.
"""

from __future__ import annotations

import codecs
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn
from zipfile import BadZipFile

import attrs
import numpy as np

from cfft import DataError, PictureSubset

from .pictures import ArrayPictures, array_pictures

_REBUILD = np.empty(0).__reduce__()[0]
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _REBUILD,
    ("numpy._core.multiarray", "_reconstruct"): _REBUILD,
    ("_codecs", "encode"): codecs.encode,
}


class _ArraysOnly(pickle.Unpickler):
    """Read pickles of arrays, numbers and text; refuse everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch needs")
        return _ALLOWED[module, name]


def read_batches(name: str, paths: Sequence[Path]) -> ArrayPictures:
    """Return the pictures of CIFAR-10 batches ("python version") one after the other.

    Raises DataError for a file that is no such batch.
    """
    batches = [_read_batch(path) for path in paths]
    return ArrayPictures(
        name=name,
        pixels=np.concatenate([batch.pixels for batch in batches]),
        labels=tuple(label for batch in batches for label in batch.labels),
        names=[picture for batch in batches for picture in batch.names],
    )


def read_arrays(name: str, pixels: Path, labels: Path) -> ArrayPictures:
    """Return the pictures of two .npy files; pictures stay on disk until they are read."""
    return array_pictures(
        name, _load(pixels, mmap_mode="r"), _load(labels), f"{pixels} with {labels.name}", name
    )


def read_archive(name: str, path: Path) -> ArrayPictures:
    """Return the pictures of an .npz file that holds `images` and `labels`."""
    with _load(path, archive=True) as stored:
        try:
            images, labels = stored["images"], stored["labels"]
        except (KeyError, ValueError, BadZipFile) as error:
            _refuse(path, error)
    return array_pictures(name, images, labels, str(path), name)


def read_corruption(folder: Path, name: str, severities: Sequence[int]) -> PictureSubset:
    """Return a corruption of CIFAR-10-C: severity 1 to 5 are stacked in its file in this order.

    Pictures are called SEVERITY/PLACE. Raises DataError where the file is no stack of five.
    """
    whole = read_arrays(name, folder / f"{name}.npy", folder / "labels.npy")
    each, rest = divmod(len(whole), 5)
    if rest:
        raise DataError(f"{folder / name}.npy: {len(whole)} pictures are no stack of 5 severities")
    names = [f"{severity}/{place:05d}" for severity in range(1, 6) for place in range(each)]
    rows = [(severity - 1) * each + place for severity in severities for place in range(each)]
    return PictureSubset(whole=attrs.evolve(whole, names=names), indices=tuple(rows), name=name)


def _read_batch(path: Path) -> ArrayPictures:
    try:
        with path.open("rb") as file:
            stored = _ArraysOnly(file, encoding="bytes").load()
        fields = {key.decode() if isinstance(key, bytes) else key: stored[key] for key in stored}
        pixels = fields["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # [N, 32, 32, 3]
        labels = fields["labels"]
    except Exception as error:  # a damaged pickle may raise anything
        _refuse(path, error)
    return array_pictures(path.name, pixels, labels, str(path), path.name)


def _load(path: Path, archive: bool = False, mmap_mode: Literal["r"] | None = None) -> Any:
    try:
        found = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
        if isinstance(found, np.ndarray) == archive:
            raise ValueError("one array in place of an archive, or the other way round")
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        _refuse(path, error)
    return found


def _refuse(path: Path, error: Exception) -> NoReturn:
    raise DataError(f"{path}: not the arrays that CIFAR-10 is published as ({error})") from error
