"""Fills that take patches from other images of the batch, from the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import cfft
from cfft_fills.soft import PixelFill, along_cycle, several

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@cfft.fill("single")
class SingleFill(PixelFill):
    """Fill all hidden patches of an image from one other image.

    Patches come from the same place. The default follows the paper, never the image itself:
    donors run along one random cycle through the batch, so that each image gives once and every
    other image is equally likely as its donor. The authors' program (`donor = "permutation"`)
    took one random permutation, in which an image may be its own donor.
    """

    smallest_batch: ClassVar[int] = 2

    donor: Literal["other", "permutation"] = cfft.param("other", help="how donors are drawn")

    def new_pixels(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> Tensor:
        """Return each image's donor; raises TrainingError for a batch of one."""
        import torch

        size = several(batch)
        if self.donor == "permutation":
            donors = torch.randperm(size, generator=rng)
        else:
            donors = along_cycle(size, rng)
        return batch.images[donors.to(batch.images.device, non_blocking=True)]


@cfft.fill("multi")
class MultiFill(PixelFill):
    """Fill each hidden patch from another image, drawn separately for every patch.

    Patches come from the same place, never from the image itself; every other image of the
    batch is equally likely, as in the paper.
    """

    smallest_batch: ClassVar[int] = 2

    def new_pixels(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> Tensor:
        """Return refilled images; raises TrainingError for a batch of one."""
        import torch

        size = several(batch)
        offset = torch.randint(1, size, selection.hidden.shape, generator=rng)  # [B, gh, gw]
        donors = (torch.arange(size)[:, None, None] + offset) % size
        donors = donors.to(batch.images.device, non_blocking=True)
        return cfft.paste_patches(batch.images, selection.hidden, donors)


@cfft.fill("other-class")
class OtherClassFill(PixelFill):
    """Fill all hidden patches of an image from one image of another class.

    Patches come from the same place. Each image draws its donor from the images of the batch whose
    label differs from its own, each with equal probability; one image may give to several. In a
    batch of one class every other image is equally likely.
    """

    smallest_batch: ClassVar[int] = 2

    def new_pixels(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> Tensor:
        """Return each image's donor; raises TrainingError for a batch of one."""
        import torch

        size, labels = several(batch), batch.labels
        keys = torch.rand(size, size, generator=rng).to(labels.device, non_blocking=True)
        keys = keys - (labels[:, None] == labels).float()  # of the same class: below all others
        keys.fill_diagonal_(-2)  # nothing is its own donor
        return batch.images[keys.argmax(dim=1)]


@cfft.fill("context-donor")
class ContextDonorFill(PixelFill):
    """Fill hidden patches with the context of one other image, from any place in it.

    The donor is drawn as in `single`. Each hidden patch takes one of the patches that are not
    hidden in the donor, drawn with equal probability and for each patch anew: with the mask
    `object` nothing of the donor's object comes along. A donor that is hidden entirely gives the
    patch of the same place.
    """

    smallest_batch: ClassVar[int] = 2

    def new_pixels(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> Tensor:
        """Return images made of donors' patches; raises TrainingError for a batch of one."""
        import torch

        size = several(batch)
        gh, gw = selection.hidden.shape[1:]
        donors = along_cycle(size, rng).to(batch.images.device, non_blocking=True)
        drawn = torch.rand(size, gh * gw, generator=rng).to(batch.images.device, non_blocking=True)
        places = _visible_places(selection.hidden.flatten(1)[donors], drawn)  # [B, P]
        patches = _as_patches(batch.images, gh, gw)  # [B, P, C, ph, pw]
        return _as_images(patches[donors[:, None], places], gh, gw)


def _visible_places(hidden: Tensor, drawn: Tensor) -> Tensor:
    """Turn numbers in 0..1 [B, P] into places that are not `hidden` [B, P]; the same if all are."""
    import torch

    visible = (~hidden).sum(dim=1, keepdim=True)  # [B, 1]
    first_visible = hidden.to(torch.uint8).argsort(dim=1, stable=True)  # [B, P]
    number = (drawn * visible).long().clamp(max=visible - 1).clamp(min=0)
    own = torch.arange(hidden.shape[1], device=hidden.device)
    return torch.where(visible > 0, first_visible.gather(1, number), own)


def _as_patches(images: Tensor, gh: int, gw: int) -> Tensor:
    channels, height, width = images.shape[1:]
    cut = images.view(-1, channels, gh, height // gh, gw, width // gw)
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)


def _as_images(patches: Tensor, gh: int, gw: int) -> Tensor:
    channels, height, width = patches.shape[2:]
    laid = patches.view(-1, gh, gw, channels, height, width).permute(0, 3, 1, 4, 2, 5)
    return laid.reshape(-1, channels, gh * height, gw * width)
