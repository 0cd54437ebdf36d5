"""The mask that hides nothing."""

from __future__ import annotations

import torch

from cfft import Batch, MaskSelection, StudentView, mask


@mask("none")
class NoMask:
    """Hide nothing: the counterfactual picture is the original.

    The paper's no-masking baseline: student and teacher are compared on clean pictures.
    """

    def select(self, batch: Batch, view: StudentView) -> MaskSelection:
        """Return `hidden` [B, gh, gw], all False; the number 0 spares the step a second pass."""
        shape = (len(batch.images), *view.grid)
        hidden = torch.zeros(shape, dtype=torch.bool, device=batch.images.device)
        return MaskSelection(hidden, hidden_per_image=0)
