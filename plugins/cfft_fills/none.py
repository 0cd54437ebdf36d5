"""The fill that puts nothing in the place of hidden patches."""

from __future__ import annotations

import torch

from cfft import Batch, Counterfactual, MaskSelection, fill


@fill("none")
class NoFill:
    """Drop hidden patches as tokens, for student and teacher alike.

    Pixels stay as they are; no encoder sees the dropped tokens. Each image may lose its own number
    of patches, even all: the class token always stays.
    """

    def refill(
        self, batch: Batch, selection: MaskSelection, rng: torch.Generator
    ) -> Counterfactual:
        """Return the same images with `dropped` = `selection.hidden`; nothing is drawn."""
        return Counterfactual(batch.images, selection.hidden, selection.hidden_per_image)
