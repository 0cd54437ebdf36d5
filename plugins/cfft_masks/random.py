"""The mask that does not look at the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.mask("random")
class RandomMask:
    """Hide patches at random, without looking at the image.

    Default rates are those of the paper's examples: 0.75 where hidden patches are dropped, else
    0.5. The default draw follows the paper: exactly round(rate * P) of P patches in every image,
    halves to the even number (Python's `round`). The authors' program (`draw = "reference"`) hid
    exactly P - int(P * (1 - rate)) where patches are dropped; where they are refilled it hid
    each patch independently with probability `rate`, so that images differ in their number.
    Draws come from `view.rng`.
    """

    rate: float = cfft.param(
        0.5, help="share of patches to hide", ge=0, le=1, given={"fill": {"none": 0.75}}
    )
    draw: Literal["paper", "reference"] = cfft.param(
        "paper", help="number of hidden patches as in the paper, or as in its reference program"
    )
    refilled: bool = cfft.param(
        True,
        help="whether hidden patches are refilled, not dropped; only draw=reference looks at it: "
        "set it to false for your own fill that drops",
        given={"fill": {"none": False}},
    )

    def hidden_per_image(self, patches: int) -> int | None:
        """Return the exact number of hidden patches, None where each is drawn alone."""
        if self.draw == "paper":
            return round(self.rate * patches)
        return None if self.refilled else patches - int(patches * (1 - self.rate))

    def select(self, batch: cfft.Batch, view: cfft.StudentView) -> cfft.MaskSelection:
        """Return `hidden` [B, gh, gw]; its number per image is static unless drawn by patch."""
        import torch

        keys = torch.rand(len(batch.images), view.grid[0] * view.grid[1], generator=view.rng)
        count = self.hidden_per_image(keys.shape[1])
        hidden = keys < self.rate if count is None else _lowest(keys, count)  # [B, P]
        hidden = hidden.view(-1, *view.grid).to(batch.images.device, non_blocking=True)
        return cfft.MaskSelection(hidden, hidden_per_image=count)


def _lowest(keys: Tensor, count: int) -> Tensor:
    ranks = keys.argsort(dim=1).argsort(dim=1)  # [B, P], 0 = lowest
    return ranks < count
