"""Labelled images that lie in arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cfft import DataError, ImageSet

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


@attrs.frozen(eq=False)
class ArrayImages(ImageSet):
    """Hold CIFAR-10's sort of images: `pixels` [N, 32, 32, 3], uint8, and N labels and names.

    `origins`: N names of the images that these are versions of, or none; see ImageSet.
    """

    name: str
    pixels: NDArray[np.uint8]
    labels: tuple[int, ...]
    names: Sequence[str]
    origins: Sequence[str] = ()

    @property
    def classes(self) -> Sequence[int]:
        """All ten classes may occur."""
        return range(len(CLASSES))

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int) -> Image.Image:
        """Return image `index` in RGB."""
        return Image.fromarray(np.asarray(self.pixels[index]))

    def identify(self, index: int) -> str:
        """Return the file that the image comes from and its place there."""
        return self.names[index]


def array_images(name: str, pixels: Any, labels: Any, origin: str, stem: str) -> ArrayImages:
    """Return a set of arrays that lie in file `origin`; images are called `stem`/PLACE.

    Raises DataError for arrays of another shape or type, and for labels that do not match.
    """
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (32, 32, 3):
        raise DataError(
            f"{origin}: images are {pixels.dtype} {list(pixels.shape)}, expected uint8 "
            "[N, 32, 32, 3]"
        )
    found = np.asarray(labels)
    if found.shape != (len(pixels),):
        raise DataError(f"{origin}: {found.size} labels for {len(pixels)} images")
    if not np.issubdtype(found.dtype, np.integer) or not np.isin(found, range(len(CLASSES))).all():
        raise DataError(f"{origin}: labels are not all whole numbers from 0 to {len(CLASSES) - 1}")
    names = [f"{stem}/{place:05d}" for place in range(len(pixels))]
    return ArrayImages(name, pixels, tuple(map(int, found)), names)
