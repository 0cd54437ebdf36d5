"""Sets of the world as cfft reads them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from PIL import Image

from cfft import MaskedImageSet

from .cache import DrawnImages
from .raster import Mask
from .world import CLASS_NAMES


@attrs.frozen(eq=False)
class ShapesImages(MaskedImageSet):
    """Hold one set, image by image, with exact object masks.

    `draw`: what the images' names end with, so that two draws are never taken for one set; "" for
    the published one.
    """

    name: str
    stored: DrawnImages
    indices: Sequence[int]
    draw: str = ""
    labels: Sequence[int] = attrs.field(init=False)

    @labels.default
    def _class_indices(self) -> Sequence[int]:
        return tuple(self.stored.labels.tolist())

    @property
    def classes(self) -> Sequence[int]:
        """All classes may occur in every set."""
        return range(len(CLASS_NAMES))

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, index: int) -> Image.Image:
        """Return image `index` in RGB."""
        return Image.fromarray(self.stored.pixels[index])

    def mask(self, index: int) -> Mask:
        """Return which pixels show the object: [64, 64], bool."""
        mask: Mask = self.stored.masks[index]
        return mask

    def identify(self, index: int) -> str:
        """Return the number that the image is drawn from, within its set, and the draw."""
        return f"{self.indices[index]:06d}{self.draw}"
