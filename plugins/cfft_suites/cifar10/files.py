"""Read CIFAR-10's files: batches of its two versions and NumPy arrays, none of which may run code.

Not torchvision's CIFAR10: it unpickles whatever passes an MD5 check, so that a copy saved again is
refused, and what is read could not be tested without the original.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import attrs
import numpy as np

from cfft import DataError, ImageSubset, require_sound_arrays

from .images import ArrayImages, array_images
from .pickles import read_pickle, read_pickled_array

_RECORD = 1 + 3 * 32 * 32  # bytes of a label and an image


def read_batches(name: str, paths: Sequence[Path]) -> ArrayImages:
    """Return the images of CIFAR-10 batches ("python version") one after the other.

    Raises DataError for a file that is missing or no such batch.
    """
    return _joined(name, paths, _pickled)


def read_binary_batches(name: str, paths: Sequence[Path]) -> ArrayImages:
    """Return the images of CIFAR-10 batches ("binary version"), called as in the other one.

    Raises DataError for a file that is missing or no such batch.
    """
    return _joined(name, paths, _binary)


def read_arrays(name: str, paths: Sequence[Path]) -> ArrayImages:
    """Return the images of two .npy files, images and labels; the first stays on disk.

    Raises DataError for files that are missing or hold something else.
    """
    _require_all(paths)
    pixels, labels = paths
    return array_images(
        name, _load(pixels, mmap_mode="r"), _load(labels), f"{pixels} with {labels.name}", name
    )


def read_archive(name: str, paths: Sequence[Path]) -> ArrayImages:
    """Return the images of an .npz file that holds `images` and `labels`; raises DataError."""
    (path,) = paths
    with _load(path, archive=True) as stored:
        try:
            images, labels = stored["images"], stored["labels"]
        except Exception as error:  # NumPy raises a dozen kinds for files that are damaged
            _refuse(path, error)
    return array_images(name, images, labels, str(path), name)


def read_dictionary(name: str, paths: Sequence[Path]) -> ArrayImages:
    """Return the images of an .npy file that holds a pickled dictionary of the same two.

    Raises DataError for anything else.
    """
    (path,) = paths
    try:
        stored = read_pickled_array(path)
        images, labels = np.asarray(stored["images"]), stored["labels"]
    except Exception as error:  # a damaged pickle may raise anything
        _refuse(path, error)
    return array_images(name, images, labels, str(path), name)


def read_corruption(folder: Path, name: str, severities: Sequence[int]) -> ImageSubset:
    """Return a corruption of CIFAR-10-C: severity 1 to 5 are stacked in its file in this order.

    Images are called SEVERITY/PLACE, and PLACE is the same image in every severity and in the
    files of other corruptions. Raises DataError where the file is no stack of five.
    """
    whole = read_arrays(name, [folder / f"{name}.npy", folder / "labels.npy"])
    each, rest = divmod(len(whole), 5)
    if rest:
        raise DataError(f"{folder / name}.npy: {len(whole)} images do not divide into 5 severities")
    names = [f"{severity}/{place:05d}" for severity in range(1, 6) for place in range(each)]
    rows = [(severity - 1) * each + place for severity in severities for place in range(each)]
    origins = [f"CIFAR-10-C/{place:05d}" for _ in range(5) for place in range(each)]
    named = attrs.evolve(whole, names=names, origins=origins)
    return ImageSubset(whole=named, indices=tuple(rows), name=name)


def _joined(name: str, paths: Sequence[Path], read: Callable[[Path], ArrayImages]) -> ArrayImages:
    _require_all(paths)
    batches = [read(path) for path in paths]
    return ArrayImages(
        name=name,
        pixels=np.concatenate([batch.pixels for batch in batches]),
        labels=tuple(label for batch in batches for label in batch.labels),
        names=[image for batch in batches for image in batch.names],
    )


def _pickled(path: Path) -> ArrayImages:
    try:
        fields = read_pickle(path)
        pixels, labels = _rows(fields["data"]), fields["labels"]
    except Exception as error:  # a damaged pickle may raise anything
        _refuse(path, error)
    return array_images(path.name, pixels, labels, str(path), path.name)


def _binary(path: Path) -> ArrayImages:
    try:
        records = np.fromfile(path, np.uint8).reshape(-1, _RECORD)
    except (OSError, ValueError) as error:
        _refuse(path, error)
    return array_images(path.stem, _rows(records[:, 1:]), records[:, 0], str(path), path.stem)


def _rows(pixels: Any) -> Any:
    """Bring images that are stored as rows of red, green and blue to [N, 32, 32, 3]."""
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def _load(path: Path, archive: bool = False, mmap_mode: Literal["r"] | None = None) -> Any:
    try:
        require_sound_arrays(path)
        found = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
        if isinstance(found, np.ndarray) == archive:
            raise ValueError("an array where an archive is expected, or the reverse")
    except Exception as error:  # damaged bytes lead numpy to a dozen kinds of error
        _refuse(path, error)
    return found


def _require_all(paths: Sequence[Path]) -> None:
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        there = ", ".join(path.name for path in paths if path.is_file())
        raise DataError(
            f"{paths[0].parent} lacks {', '.join(missing)} beside {there}: unpack or download the "
            "set again"
        )


def _refuse(path: Path, error: Exception) -> NoReturn:
    raise DataError(f"{path}: not the arrays that CIFAR-10 is published as ({error})") from error
