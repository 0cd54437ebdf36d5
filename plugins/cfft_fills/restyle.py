"""The fill that changes how hidden patches look and keeps what is on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cfft
from cfft_fills.soft import PixelFill
from cfft_fills.styles import STYLES

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@cfft.fill("restyle")
class RestyleFill(PixelFill):
    """Change colours, texture or detail of hidden patches, one style per image.

    For every image one of `styles` is drawn, each with equal probability (one that is named twice
    counts twice), and then the values of that style:

    - convolution: a random 3 x 3 kernel over all colours (RandConv, Xu et al. 2021)
    - colours: a random rotation of colour space around mid-grey
    - greyscale: brightness alone
    - edges: outlines by Sobel's filters, dark on white or white on black
    - blur: a Gaussian of 1 to 3 % of the shorter side
    - posterise: 2 to 5 levels of each colour
    - pose: rotated by up to 30 degrees and shrunk to 60 to 100 %
    - mix: mixed with another image of the batch, at a share up to a half
    - original: the image as it is

    The whole image is restyled and hidden patches are taken from the result: with the mask `all`,
    the whole image.
    """

    styles: tuple[str, ...] = cfft.param(
        ("convolution", "colours", "blur", "edges"),
        help=f"styles to draw from: {', '.join(STYLES)}",
    )

    def __attrs_post_init__(self) -> None:
        if not self.styles:
            raise ValueError(f"styles is empty: name one or more of {', '.join(STYLES)}")
        for name in self.styles:
            if name not in STYLES:
                raise ValueError(cfft.unknown_name("style", name, STYLES))

    def new_pixels(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> Tensor:
        """Return the images restyled; each style sees the images that drew it, at once."""
        import torch

        drawn = torch.randint(len(self.styles), (len(batch.images),), generator=rng)
        new = batch.images.clone()
        for number, name in enumerate(self.styles):
            rows = (drawn == number).nonzero()[:, 0]  # known on the host
            rows = rows.to(new.device, non_blocking=True)
            if len(rows):
                new[rows] = STYLES[name](batch.images[rows], rng)
        return new
