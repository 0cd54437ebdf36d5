"""The base of fills that put new pixels in the place of hidden patches."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import attrs

import cfft

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@attrs.frozen
class PixelFill(cfft.Refiller):
    """Put new pixels in the place of hidden patches, at full strength or blended.

    A hidden pixel becomes (1 - s) * original + s * new. s is `strength`; with `strength_start` it
    goes from there to `strength` in a straight line over training (`Batch.progress`), and outside a
    run, where nothing says how far training is, it is `strength`.
    """

    strength: float = cfft.param(
        1.0, help="share of new pixels, the rest being original", ge=0, le=1
    )
    strength_start: float | None = cfft.param(
        None, help="strength as training begins, changing evenly", ge=0, le=1, rare=True
    )

    def refill(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> cfft.Counterfactual:
        """Return new images; those of the batch are not changed, and no gradient flows."""
        import torch

        images, strength = batch.images, self.strength_at(batch.progress)
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            new = self.new_pixels(batch, selection, rng)
            if strength < 1:
                new = torch.lerp(images, new, strength)
            filled = torch.where(pixels_of(selection.hidden, images), new, images)
        return cfft.Counterfactual(filled)

    @abstractmethod
    def new_pixels(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> Tensor:
        """Return images [B, 3, H, W] of which hidden patches are taken."""

    def strength_at(self, progress: float | None) -> float:
        """Return the strength where that share of training is done, 0..1."""
        if progress is None or self.strength_start is None:
            return self.strength
        return self.strength_start + progress * (self.strength - self.strength_start)


def pixels_of(hidden: Tensor, images: Tensor) -> Tensor:
    """Enlarge patches [B, gh, gw] to the pixels of images [B, C, H, W]: [B, 1, H, W].

    Raises ValueError where the grid does not divide the images.
    """
    (gh, gw), (height, width) = hidden.shape[1:], images.shape[-2:]
    if height % gh or width % gw:
        raise ValueError(
            f"images of {height} x {width} pixels do not divide into {gh} x {gw} patches"
        )
    enlarged = hidden.repeat_interleave(height // gh, dim=1).repeat_interleave(width // gw, dim=2)
    return enlarged[:, None]


def several(batch: cfft.Batch) -> int:
    """Return the batch size; raises TrainingError where no image has another one beside it."""
    size = len(batch.images)
    if size < 2:
        raise cfft.TrainingError(
            f"refilling needs another image in the batch, got a batch of {size}: "
            "use batches of 2 or more, or drop hidden patches (--fill none)"
        )
    return size


def along_cycle(size: int, rng: torch.Generator) -> Tensor:
    """Draw one random cycle through the batch: [B] int64 on the CPU, each image's donor.

    Each image gives once and every other image is equally likely as its donor.
    """
    import torch

    order = torch.randperm(size, generator=rng)
    return order.roll(1)[order.argsort()]
