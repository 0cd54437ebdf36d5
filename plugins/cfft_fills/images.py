"""Fills that take patches from other images of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import cfft

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@cfft.fill("single")
class SingleFill(cfft.Refiller):
    """Fill all hidden patches of an image from one other image.

    Patches come from the same place. The default follows the paper, never the image itself:
    donors run along one random cycle through the batch, so that each image gives once and every
    other image is equally likely as its donor. The authors' program (`donor = "permutation"`)
    took one random permutation, in which an image may be its own donor.
    """

    smallest_batch: ClassVar[int] = 2

    donor: Literal["other", "permutation"] = cfft.param("other", help="how donors are drawn")

    def refill(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> cfft.Counterfactual:
        """Return refilled images; raises TrainingError for a batch of one."""
        import torch

        order = torch.randperm(_several(batch), generator=rng)
        donors = order if self.donor == "permutation" else _along_cycle(order)
        return _refilled(batch, selection, donors)


@cfft.fill("multi")
class MultiFill(cfft.Refiller):
    """Fill each hidden patch from another image, drawn separately for every patch.

    Patches come from the same place, never from the image itself; every other image of the
    batch is equally likely, as in the paper.
    """

    smallest_batch: ClassVar[int] = 2

    def refill(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> cfft.Counterfactual:
        """Return refilled images; raises TrainingError for a batch of one."""
        import torch

        size = _several(batch)
        offset = torch.randint(1, size, selection.hidden.shape, generator=rng)  # [B, gh, gw]
        donors = (torch.arange(size)[:, None, None] + offset) % size
        return _refilled(batch, selection, donors)


def _several(batch: cfft.Batch) -> int:
    size = len(batch.images)
    if size < 2:
        raise cfft.TrainingError(
            f"refilling needs another image in the batch, got a batch of {size}: "
            "use batches of 2 or more, or drop hidden patches (--fill none)"
        )
    return size


def _along_cycle(order: Tensor) -> Tensor:
    return order.roll(1)[order.argsort()]


def _refilled(
    batch: cfft.Batch, selection: cfft.MaskSelection, donors: Tensor
) -> cfft.Counterfactual:
    donors = donors.to(batch.images.device)
    return cfft.Counterfactual(cfft.paste_patches(batch.images, selection.hidden, donors))
