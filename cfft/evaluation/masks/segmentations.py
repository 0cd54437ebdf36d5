"""Segmentations of images, from the set or from files: object and context, pixel by pixel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cfft.data.decoding import opened
from cfft.data.images import ImageFiles, ImageSubset
from cfft.data.splits import stratified_subset
from cfft.data.suite import ImageSet
from cfft.errors import ConfigError, DataError, shortened_list

Mask = NDArray[np.uint8]
File = TypeVar("File", bound=Hashable)
T = TypeVar("T")

IGNORED = 255
"""Value of pixels that belong to neither object nor context."""

_TRIMAP = {1: 1, 2: 0, 3: IGNORED}  # object, context, border
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
    segment: Callable[[int], Mask]
    missing: int


def own_segmentations(images: ImageSet) -> Segmented:
    """Return the segmentations of the set itself; raises DataError where it has none."""
    reader = ImageSet.of(images).mask
    if reader is None:
        raise DataError(
            f"set '{images.name}' has no segmentations of its own: give --masks DIR with a "
            "PNG for each image"
        )
    return Segmented(images, lambda index: np.asarray(reader(index), np.uint8), 0)


def mask_files(images: ImageSet, folder: Path, read: Callable[[Path], Mask]) -> Segmented:
    """Return the PNG segmentations of a set in `folder`; `read` interprets their values.

    They are found as `matched` does, by names that end with .png. Raises DataError where no image
    has a mask, or where one file would be that of two.
    """
    if folder.suffix == ".json" and folder.is_file():
        raise DataError(f"--masks {folder} is a JSON file: read it with --mask-format coco")
    if not folder.is_dir():
        raise DataError(f"--masks {folder}: no such directory; give one that holds PNG files")

    def find(name: PurePosixPath) -> Path | None:
        path = folder / name
        return path if path.is_file() else None

    found = matched(images, find, find, ".png")
    if not found:
        example = PurePosixPath(images.identify(0)).with_suffix(".png")
        raise DataError(
            f"--masks {folder} has no segmentation of set '{images.name}': looked for "
            f"{images.name}/{example}, {example}, {example.name} and so on"
        )
    shared = shared_file(found)
    if shared:
        meant = shortened_list(map(images.identify, shared), between=" and ")
        raise DataError(
            f"{found[shared[0]]} would be the segmentation of {meant}: give each its own, in "
            "folders like the images'"
        )

    def segment(index: int) -> Mask:
        mask, size = read(found[index]), image_size(images, index)
        if mask.shape != size:
            raise DataError(
                f"{found[index]} has {_pixels(mask.shape)}, its image {images.identify(index)} "
                f"{_pixels(size)}: a segmentation is as large as its image"
            )
        return mask

    return chosen(images, found, segment)


def matched(
    images: ImageSet,
    by_path: Callable[[PurePosixPath], File | None],
    by_name: Callable[[PurePosixPath], File | None],
    suffix: str | None = None,
) -> dict[int, File]:
    """Return the file of each image that has one, by index.

    That of image CLASS/NAME.jpg of a set SET is SET/CLASS/NAME.jpg, else CLASS/NAME.jpg, else
    NAME.jpg; one of the three holds for the whole set. SET may also be the set that this one is a
    part of. `by_path` finds a file by one of the first two, `by_name` by the last. `suffix`: the
    ending of files, None where it is the image's own.
    """
    own = [PurePosixPath(images.identify(index)) for index in range(len(images))]
    names = own if suffix is None else [name.with_suffix(suffix) for name in own]
    below = [[PurePosixPath(place, name) for name in names] for place in (*_set_names(images), "")]
    bare = [PurePosixPath(name.name) for name in names]
    for keys, find in [*((keys, by_path) for keys in below), (bare, by_name)]:
        files = {index: find(key) for index, key in enumerate(keys)}
        found = {index: file for index, file in files.items() if file is not None}
        if found:
            return found
    return {}


def shared_file(files: Mapping[int, Hashable]) -> list[int]:
    """Return the indices of the first images that have the same file, empty without any."""
    counts = Counter(files.values())
    twice = next((file for file, count in counts.items() if count > 1), None)
    return [index for index, file in files.items() if file == twice]


def chosen(images: ImageSet, indices: Iterable[int], segment: Callable[[int], Mask]) -> Segmented:
    """Return the images at `indices`; `segment` is given an index of `images`."""
    sample = ImageSubset(whole=images, indices=tuple(indices), name=images.name)
    missing = len(images) - len(sample)
    return Segmented(sample, lambda index: segment(sample.indices[index]), missing)


def _set_names(images: ImageSet) -> Iterator[str]:
    """Give the name of a set and of those that it is a part of."""
    yield images.name
    if isinstance(images, ImageSubset):
        yield from _set_names(images.whole)


def drawn(segmented: Segmented, count: int, seed: int) -> Segmented:
    """Return `count` of the images with the class shares of all, drawn from `seed`.

    Raises ConfigError for fewer than there are classes.
    """
    images = segmented.images
    classes = len(set(images.labels))
    if count < classes:
        raise ConfigError(
            f"--limit {count}: set '{images.name}' has {classes} classes: give {classes} or more"
        )
    found = chosen(images, stratified_subset(images.labels, count, seed), segmented.segment)
    return attrs.evolve(found, missing=segmented.missing)


def read_binary(path: Path) -> Mask:
    """Read a PNG in which 0 is context and everything else the object.

    Raises DataError also for one that looks like a trimap, all of which would be object.
    """
    values = _one_channel(path)
    present = np.unique(values)
    if len(present) > 1 and present[0] > 0 and present[-1] <= max(_TRIMAP):
        raise DataError(
            f"{path}: no pixel is 0 (context), all are {shortened_list(present)}: if it is a "
            "trimap, give --mask-format trimap"
        )
    return (values > 0).astype(np.uint8)


def read_trimap(path: Path) -> Mask:
    """Read a trimap of Oxford-IIIT Pet: 1 object, 2 background, 3 border, which is left out."""
    values = _one_channel(path)
    wrong = sorted(set(np.unique(values).tolist()) - set(_TRIMAP))
    if wrong:
        raise DataError(
            f"{path}: not a trimap: it has pixels of {wrong[0]}, allowed: 1 object, 2 background, "
            "3 border; if 0 is context, give --mask-format binary"
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


def _pixels(size: tuple[int, ...]) -> str:
    return f"{size[0]} x {size[1]} pixels"


def _one_channel(path: Path) -> NDArray[np.uint8]:
    mode, values = _opened(path, lambda image: (image.mode, np.asarray(image)))
    if mode not in _ONE_CHANNEL:
        raise DataError(f"{path}: a segmentation has one channel of 8 bits, this has mode {mode}")
    return values.astype(np.uint8)


def _size_in_header(path: Path) -> tuple[int, int]:
    (width, height), exif = _opened(path, lambda image: (image.size, image.getexif()))
    orientation: Any = exif.get(_EXIF_ORIENTATION, 1)
    sideways = isinstance(orientation, int) and orientation >= _FIRST_SIDEWAYS
    return (width, height) if sideways else (height, width)


def _opened(path: Path, read: Callable[[Image.Image], T]) -> T:
    try:
        with opened(path) as image:
            return read(image)
    except ConfigError:
        raise
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        raise DataError(f"{path}: {error}") from error
