"""Fills that need no other image: the mean colour, and the image itself blurred."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cfft
from cfft_fills.filters import blurred
from cfft_fills.soft import PixelFill

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@cfft.fill("mean")
class MeanFill(PixelFill):
    """Paint hidden patches in the mean colour of the image or of the batch.

    The mean is over all pixels, hidden ones included. Nothing is drawn.
    """

    colour: Literal["image", "batch"] = cfft.param("image", help="pixels that the mean is over")

    @property
    def constant(self) -> bool:
        """Tell whether each image has its own colour, at one strength."""
        return self.colour == "image" and self.strength_start is None

    def new_pixels(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> Tensor:
        """Return images of one colour each."""
        over = (2, 3) if self.colour == "image" else (0, 2, 3)
        return batch.images.mean(dim=over, keepdim=True).expand_as(batch.images)


@cfft.fill("blur")
class BlurFill(PixelFill):
    """Blur hidden patches strongly, so that coarse colours alone are left of them.

    The whole image is blurred, hidden parts and others, and hidden patches are taken from that.
    Nothing is drawn.
    """

    width: float = cfft.param(
        0.1, help="standard deviation of the Gaussian, as share of the shorter side", gt=0, le=1
    )

    @property
    def constant(self) -> bool:
        """Tell whether the strength stays the same."""
        return self.strength_start is None

    def new_pixels(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> Tensor:
        """Return the images blurred."""
        import torch

        width = self.width * min(batch.images.shape[-2:])
        return blurred(batch.images, torch.full((len(batch.images),), width))
