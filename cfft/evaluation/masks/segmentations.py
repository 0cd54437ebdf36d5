"""Segmentations of images: where the object is, pixel by pixel, from the set or from files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cfft.data.images import ImageFiles, ImageSubset
from cfft.data.splits import stratified_subset
from cfft.data.suite import ImageSet
from cfft.errors import ConfigError, DataError

Mask = NDArray[np.uint8]
Segment = Callable[[int], Mask]

_OBJECT, _CONTEXT, _IGNORED = 1, 0, 255
_TRIMAP = {1: _OBJECT, 2: _CONTEXT, 3: _IGNORED}
_ONE_CHANNEL = ("1", "L", "P")
_EXIF_ORIENTATION, _FIRST_SIDEWAYS = 0x0112, 5


@attrs.frozen(eq=False)
class Segmented:
    """Hold the images of a set whose objects are known.

    `segment(index)` returns the mask of image `index` of `images`, as large as the image:
    [H, W], uint8, 1 object, 0 context, 255 neither; it raises DataError. `missing`: how many
    images of the whole set have no segmentation.
    """

    images: ImageSet
    segment: Segment
    missing: int


def own_segmentations(images: ImageSet) -> Segmented:
    """Return what the set itself knows of its objects; raises DataError where it knows nothing."""
    reader = ImageSet.of(images).mask
    if reader is None:
        raise DataError(
            f"set '{images.name}' does not know where its objects are: give --masks DIR with a "
            "PNG for each image"
        )
    return Segmented(images, lambda index: np.asarray(reader(index), np.uint8), 0)


def mask_files(images: ImageSet, folder: Path, read: Callable[[Path], Mask]) -> Segmented:
    """Return the PNG segmentations of a set in `folder`; `read` knows what their values mean.

    The mask of image CLASS/NAME.jpg of a set SET is SET/CLASS/NAME.png, else CLASS/NAME.png,
    else NAME.png; one of the three holds for the whole set. SET may also be the set that this one
    is a part of. Raises DataError where no image has
    a mask, or where NAME.png would be that of two.
    """
    if folder.suffix == ".json" and folder.is_file():
        raise DataError(f"--masks {folder} is a JSON file: read it with --mask-format coco")
    if not folder.is_dir():
        raise DataError(f"--masks {folder}: no such directory; give one that holds PNG files")
    found = _mask_paths(images, folder)
    if not found:
        example = PurePosixPath(images.identify(0)).with_suffix(".png")
        raise DataError(
            f"--masks {folder} has no segmentation of set '{images.name}': looked for "
            f"{images.name}/{example}, {example}, {example.name} and so on"
        )
    paths = list(found.values())
    return chosen(images, list(found), lambda sample, index: _fitting(read, sample, index, paths))


def chosen(
    images: ImageSet, indices: list[int], segment: Callable[[ImageSet, int], Mask]
) -> Segmented:
    """Return the images at `indices`; `segment` is given their subset and a place in it."""
    sample = ImageSubset(whole=images, indices=tuple(indices), name=images.name)
    return Segmented(sample, partial(segment, sample), len(images) - len(indices))


def set_names(images: ImageSet) -> Iterator[str]:
    """Go through the names of a set: its own, and those of the set that it is taken from."""
    yield images.name
    if isinstance(images, ImageSubset):
        yield from set_names(images.whole)


def drawn(segmented: Segmented, count: int, seed: int) -> Segmented:
    """Return `count` of the images with the class shares of all, drawn from `seed`.

    Raises ConfigError for fewer than there are classes.
    """
    images, segment = segmented.images, segmented.segment
    classes = len(set(images.labels))
    if count < classes:
        raise ConfigError(
            f"--limit {count}: set '{images.name}' has {classes} classes: give {classes} or more"
        )
    indices = tuple(stratified_subset(images.labels, count, seed))
    sample = ImageSubset(whole=images, indices=indices, name=images.name)
    return Segmented(sample, lambda index: segment(indices[index]), segmented.missing)


def read_binary(path: Path) -> Mask:
    """Read a PNG in which 0 is context and everything else the object.

    Raises DataError also for one that looks like a trimap, all of which would be object.
    """
    values = _one_channel(path)
    present = np.unique(values)
    if len(present) > 1 and present[0] > 0 and present[-1] <= max(_TRIMAP):
        raise DataError(
            f"{path}: no pixel is 0 (context), all are {', '.join(map(str, present))}: if it is a "
            "trimap say --mask-format trimap"
        )
    return (values > 0).astype(np.uint8)


def read_trimap(path: Path) -> Mask:
    """Read a trimap of Oxford-IIIT Pet: 1 object, 2 background, 3 border, which is left out."""
    values = _one_channel(path)
    wrong = sorted(set(np.unique(values).tolist()) - set(_TRIMAP))
    if wrong:
        raise DataError(
            f"{path}: no trimap: it has pixels of {wrong[0]}, allowed: 1 object, 2 background, "
            "3 border; if 0 is context say --mask-format binary"
        )
    table = np.zeros(256, np.uint8)
    table[list(_TRIMAP)] = list(_TRIMAP.values())
    return table[values]


def image_size(images: ImageSet, index: int) -> tuple[int, int]:
    """Return height and width of image `index` in pixels, of a file without decoding it.

    Raises DataError.
    """
    if isinstance(images, ImageSubset):
        return image_size(images.whole, images.indices[index])
    if isinstance(images, ImageFiles):
        return _size_in_header(images.root / images.paths[index])
    width, height = images.read(index).size
    return height, width


def _mask_paths(images: ImageSet, folder: Path) -> Mapping[int, Path]:
    names = [
        PurePosixPath(images.identify(index)).with_suffix(".png") for index in range(len(images))
    ]
    for place in (*(folder / name for name in set_names(images)), folder):
        found = {i: place / name for i, name in enumerate(names) if (place / name).is_file()}
        if found:
            return found
    flat = {i: folder / name.name for i, name in enumerate(names) if (folder / name.name).is_file()}
    _require_one_image_each(images, flat)
    return flat


def _require_one_image_each(images: ImageSet, flat: Mapping[int, Path]) -> None:
    twice = next((path for path, count in Counter(flat.values()).items() if count > 1), None)
    if twice is not None:
        names = [images.identify(index) for index, path in flat.items() if path == twice]
        raise DataError(
            f"{twice} would be the segmentation of {' and '.join(names)}: give each its own, in "
            "folders like the images'"
        )


def _fitting(read: Callable[[Path], Mask], images: ImageSet, index: int, paths: list[Path]) -> Mask:
    mask, size = read(paths[index]), image_size(images, index)
    if mask.shape != size:
        raise DataError(
            f"{paths[index]} has {_pixels(mask.shape)}, its image {images.identify(index)} "
            f"{_pixels(size)}: a segmentation is as large as its image"
        )
    return mask


def _pixels(size: tuple[int, ...]) -> str:
    return f"{size[0]} x {size[1]} pixels"


def _one_channel(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            mode, values = image.mode, np.asarray(image)
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        raise DataError(f"{path}: {error}") from error
    if mode not in _ONE_CHANNEL:
        raise DataError(f"{path}: a segmentation has one channel of 8 bits, this has mode {mode}")
    return values.astype(np.uint8)


def _size_in_header(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            (width, height), exif = image.size, image.getexif()
    except Exception as error:  # as in _one_channel
        raise DataError(f"{path}: {error}") from error
    orientation: Any = exif.get(_EXIF_ORIENTATION, 1)
    sideways = isinstance(orientation, int) and orientation >= _FIRST_SIDEWAYS
    return (width, height) if sideways else (height, width)
