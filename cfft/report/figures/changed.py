"""The gallery of images that became wrong or right, as the page shows it."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator, Sequence

import attrs

from cfft.data.suite import ImageSet
from cfft.errors import DataError
from cfft.report.changed import Changed, ChangedImage
from cfft.report.sources.images import ImagesGoneError, StoredImages

_QUALITY = 80
_LONGEST_SIDE = 256  # pixels


@attrs.frozen
class ShownImage:
    """Hold an image as the page shows it; `address`: a data URI, "" where the name stands alone."""

    said: ChangedImage
    address: str = ""
    size: tuple[int, int] = (0, 0)

    @property
    def words(self) -> str:
        """What is to be seen, in words."""
        return (
            f"{self.said.name}, {self.said.true}: before {self.before}, after {self.after}; "
            f"{self.said.true} {_percent(self.said.before.true_share)} before, "
            f"{_percent(self.said.after.true_share)} after"
        )

    @property
    def before(self) -> str:
        """The prediction before, with its probability."""
        return f"{self.said.before.chosen} {_percent(self.said.before.share)}"

    @property
    def after(self) -> str:
        """The prediction after, with its probability."""
        return f"{self.said.after.chosen} {_percent(self.said.after.share)}"


@attrs.frozen(eq=False)
class Gallery:
    """Hold what changed on a set, with images; `missing`: why there are names alone, or ""."""

    found: Changed
    became_wrong: tuple[ShownImage, ...]
    became_right: tuple[ShownImage, ...]
    missing: str = ""

    @property
    def title(self) -> str:
        return f"{self.found.set} · {self.found.configuration}"

    @property
    def directions(self) -> list[tuple[str, int, tuple[ShownImage, ...]]]:
        """The two directions: in words, how many images in all, and those that are shown."""
        return [
            ("became wrong", self.found.wrong, self.became_wrong),
            ("became right", self.found.right, self.became_right),
        ]


def galleries(found: Sequence[Changed], stored: StoredImages) -> Iterator[Gallery]:
    """Go through the galleries, images as WebP of at most 256 pixels a side."""
    for each in found:
        try:
            yield _with_images(each, stored)
        except (ImagesGoneError, DataError) as error:
            parts = (each.became_wrong, each.became_right)
            wrong, right = (tuple(map(ShownImage, part)) for part in parts)
            yield Gallery(each, wrong, right, str(error))


def _with_images(found: Changed, stored: StoredImages) -> Gallery:
    told = (*found.became_wrong, *found.became_right)
    images, places = stored.find(found.after, found.set, [each.name for each in told])
    shown = [_shown(each, images, places[each.name]) for each in told]
    count = len(found.became_wrong)
    return Gallery(found, tuple(shown[:count]), tuple(shown[count:]))


def _shown(said: ChangedImage, images: ImageSet, place: int) -> ShownImage:
    image, written = images.read(place).convert("RGB"), io.BytesIO()
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    image.save(written, "WEBP", quality=_QUALITY)
    address = f"data:image/webp;base64,{b64encode(written.getvalue()).decode()}"
    return ShownImage(said, address, image.size)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
