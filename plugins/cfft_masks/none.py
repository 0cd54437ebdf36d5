"""The mask that hides nothing."""

from __future__ import annotations

from typing import ClassVar

import cfft


@cfft.mask("none")
class NoMask:
    """Hide nothing: the counterfactual image is the original.

    The paper's no-masking baseline: student and teacher are compared on clean images.
    """

    constant: ClassVar[bool] = True

    def hidden_per_image(self, patches: int) -> int:
        """Return 0."""
        return 0

    def select(self, batch: cfft.Batch, view: cfft.StudentView) -> cfft.MaskSelection:
        """Return `hidden` [B, gh, gw], all False; the number 0 spares the step a second pass."""
        import torch

        shape = (len(batch.images), *view.grid)
        hidden = torch.zeros(shape, dtype=torch.bool, device=batch.images.device)
        return cfft.MaskSelection(hidden, hidden_per_image=0)
