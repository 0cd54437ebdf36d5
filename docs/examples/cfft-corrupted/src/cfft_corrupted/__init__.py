"""A suite for cfft: folders of images, and their test images under corruptions as OOD sets."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cfft

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

_SIDE = 224
_BRIGHTEST = 255


def contrast(image: Tensor, severity: int, rng: Any) -> Tensor:
    """Move every pixel [3, H, W], uint8, towards the mean of its channel."""
    mean = image.float().mean(dim=(1, 2), keepdim=True)
    return _levels(mean + (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1] * (image - mean))


def blur(image: Tensor, severity: int, rng: Any) -> Tensor:
    """Blur by a Gaussian."""
    from torchvision.transforms.v2.functional import gaussian_blur

    sigma = (1, 2, 3, 4, 6)[severity - 1]
    blurred: Tensor = gaussian_blur(image, [8 * sigma + 1, 8 * sigma + 1], [sigma, sigma])
    return blurred


def noise(image: Tensor, severity: int, rng: Any) -> Tensor:
    """Add Gaussian noise."""
    import torch

    deviation = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1] * _BRIGHTEST
    return _levels(image + torch.randn(image.shape, generator=rng) * deviation)


def jpeg(image: Tensor, severity: int, rng: Any) -> Tensor:
    """Store as a JPEG of low quality."""
    from PIL import Image
    from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

    file = BytesIO()
    to_pil_image(image).save(file, "JPEG", quality=(25, 18, 15, 10, 7)[severity - 1])
    stored: Tensor = pil_to_tensor(Image.open(file))
    return stored


def _levels(values: Tensor) -> Tensor:
    """Return the nearest levels of brightness, uint8."""
    return values.round().clamp(0, _BRIGHTEST).byte()


CORRUPTIONS: Mapping[str, Callable[[Tensor, int, Any], Tensor]] = {
    "noise": noise,
    "blur": blur,
    "contrast": contrast,
    "jpeg": jpeg,
}


@dataclass(frozen=True, eq=False)
class CorruptedImages(cfft.ComputedImageSet):
    """Hold the images of another set under one corruption, computed when they are read.

    As in ImageNet-C the short side becomes 224 pixels, then the centre is cropped, then corrupted.
    """

    made_from: cfft.ImageSet
    corruption: str
    severity: int
    cropped = True

    @property
    def name(self) -> str:
        """Corruption and severity."""
        return f"{self.corruption}-{self.severity}"

    @property
    def labels(self) -> Any:
        """Those of the other set."""
        return self.made_from.labels

    @property
    def classes(self) -> Any:
        """Those of the other set."""
        return self.made_from.classes

    def __len__(self) -> int:
        return len(self.made_from)

    def read(self, index: int) -> Image:
        """Return image `index` in RGB; its noise is drawn from its name alone."""
        import torch
        from torchvision.transforms.v2.functional import (
            center_crop,
            pil_to_tensor,
            resize,
            to_pil_image,
        )

        whole = pil_to_tensor(self.made_from.read(index))
        image = center_crop(resize(whole, [_SIDE], antialias=True), [_SIDE, _SIDE])
        seed = zlib.crc32(f"{self.name}/{self.identify(index)}".encode())
        rng = torch.Generator().manual_seed(seed)
        made: Image = to_pil_image(CORRUPTIONS[self.corruption](image, self.severity, rng))
        return made

    def identify(self, index: int) -> str:
        """Return the name of the image that it is made from."""
        return self.made_from.identify(index)

    def original(self, index: int) -> int:
        """Return the same index."""
        return index


@cfft.suite("corrupted")
class CorruptedSuite(cfft.Suite):
    """Train on DIR/train, test on DIR/test and on corruptions of it.

    Noise, blur, contrast and JPEG at severities 1 to 5, with the strengths of ImageNet-C (Hendrycks
    and Dietterich 2019). DIR/train, DIR/val and DIR/test hold a folder per class.
    """

    data: Path = cfft.param(help="folder that holds train, val and test")
    severities: tuple[int, ...] = cfft.param(
        default=(1, 3, 5), help="strengths of each corruption", ge=1, le=5
    )
    known_sets = ("test", *(f"{name}-1 to {name}-5" for name in CORRUPTIONS))
    only_measured = ("severities",)

    @classmethod
    def example(cls, folder: Path) -> Mapping[str, Any]:
        """Write two classes of plain images."""
        from PIL import Image

        for part, shade in (("train", 0), ("val", 40), ("test", 80)):
            for name, colour in (("red", (200 - shade, 0, 0)), ("blue", (0, 0, 200 - shade))):
                (folder / part / name).mkdir(parents=True)
                Image.new("RGB", (256, 240), colour).save(folder / part / name / "0.png")
        return {"data": folder, "severities": (1, 5)}

    def open(self, seed: int) -> cfft.SuiteSets:
        """Return the sets; raises DataError where a folder or a class is missing."""
        train = cfft.class_folders(self.data / "train", "train")
        table = cfft.training_class_names(self.data / "train")
        val, test = (cfft.class_folders(self.data / part, part, table) for part in ("val", "test"))
        ood = tuple(
            CorruptedImages(test, name, severity)
            for name in CORRUPTIONS
            for severity in self.severities
        )
        return cfft.SuiteSets(train.class_names, train, val, test, ood)


@cfft.hookimpl
def cfft_suites() -> list[type]:
    """Return the suites of this package."""
    return [CorruptedSuite]
