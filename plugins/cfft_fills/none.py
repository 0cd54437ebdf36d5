"""The fill that puts nothing in the place of hidden patches."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import cfft

if TYPE_CHECKING:
    import torch


@cfft.fill("none")
class NoFill(cfft.Refiller):
    """Drop hidden patches as tokens, for student and teacher alike.

    Pixels stay as they are; no encoder sees the dropped tokens. Images may lose different numbers
    of patches, even all: the class token always stays.
    """

    constant: ClassVar[bool] = True
    drops: ClassVar[bool] = True

    def refill(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> cfft.Counterfactual:
        """Return the same images with `dropped` = `selection.hidden`; nothing is drawn."""
        return cfft.Counterfactual(batch.images, selection.hidden, selection.hidden_per_image)
