"""Decoded images that stay in memory, so that each is decoded once in a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs
import torch
from torch import Tensor

from cfft.data.suite import ImageSet
from cfft.data.transform import fitting, sizing
from cfft.records import Preprocessing

_CHANNELS = 3


@attrs.frozen(eq=False)
class KeptSets:
    """Hold the decoded images of some sets, for one preprocessing.

    `sets`: those whose images are kept, all of each. What they take is taken as images come.
    """

    preprocessing: Preprocessing | None = None
    sets: tuple[ImageSet, ...] = ()
    _kept: dict[int, KeptImages] = attrs.field(factory=dict)

    @classmethod
    def within(cls, most: int, sets: Iterable[ImageSet], preprocessing: Preprocessing) -> KeptSets:
        """Keep the first of `sets` that fit into `most` bytes together; one that does not is out.

        A set that is there twice is kept once.
        """
        chosen: list[ImageSet] = []
        for images in {id(images): images for images in sets}.values():
            size = bytes_of(images, preprocessing)
            if size <= most:
                chosen.append(images)
                most -= size
        return cls(preprocessing, tuple(chosen))

    @property
    def sizes(self) -> list[int]:
        """The bytes that each of the sets takes once all its images are there."""
        prepared = self.preprocessing
        return [] if prepared is None else [bytes_of(images, prepared) for images in self.sets]

    def of(self, images: ImageSet, preprocessing: Preprocessing) -> KeptImages | None:
        """Return what is kept of a set, None where nothing is, or in another size."""
        if self.preprocessing is None or sizing(preprocessing) != sizing(self.preprocessing):
            return None
        if not any(images is each for each in self.sets):
            return None
        if id(images) not in self._kept:
            self._kept[id(images)] = KeptImages.of(len(images), preprocessing)
        return self._kept[id(images)]


@attrs.frozen(eq=False)
class KeptImages:
    """Hold what was decoded of a set: `pixels` [N, 3, H, W], uint8, where `present` [N] is True."""

    pixels: Tensor
    present: Tensor

    @classmethod
    def of(cls, count: int, preprocessing: Preprocessing) -> KeptImages:
        """Return room for `count` images; the system gives it page by page, as it is filled."""
        shape = (count, _CHANNELS, *preprocessing.size)
        return cls(torch.empty(shape, dtype=torch.uint8), torch.zeros(count, dtype=torch.bool))

    def missing(self, indices: Sequence[int]) -> list[int]:
        """Return those of `indices` whose images are not there, in order."""
        there = self.present[list(indices)].tolist()
        return [index for index, known in zip(indices, there, strict=True) if not known]

    def keep(self, indices: Tensor, images: Tensor) -> None:
        """Take images [B, 3, H, W] in as those at `indices` [B]."""
        self.pixels[indices] = images
        self.present[indices] = True

    def batch(self, indices: Tensor) -> Tensor:
        """Return the images at `indices` [B], all of which are there: [B, 3, H, W]."""
        return self.pixels[indices]


def bytes_of(images: ImageSet, preprocessing: Preprocessing) -> int:
    """Return how much memory a set's decoded images take."""
    height, width = fitting(images, preprocessing).size
    return len(images) * _CHANNELS * height * width
