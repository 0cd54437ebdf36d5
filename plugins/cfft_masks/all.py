"""The mask that hides everything."""

from __future__ import annotations

from typing import ClassVar

import cfft


@cfft.mask("all")
class AllMask:
    """Hide every patch: what the fill makes takes the place of the whole image.

    For fills that change an image rather than replace its parts, such as `restyle`. With the fill
    `none` the class token alone is left, and every image looks the same to the encoder.
    """

    constant: ClassVar[bool] = True

    def hidden_per_image(self, patches: int) -> int:
        """Return `patches`."""
        return patches

    def select(self, batch: cfft.Batch, view: cfft.StudentView) -> cfft.MaskSelection:
        """Return `hidden` [B, gh, gw], all True; nothing is drawn and no map is made."""
        import torch

        shape = (len(batch.images), *view.grid)
        hidden = torch.ones(shape, dtype=torch.bool, device=batch.images.device)
        return cfft.MaskSelection(hidden, hidden_per_image=hidden[0].numel())
