"""The Grad-CAM map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.cam("gradcam")
class GradCam:
    """Weight the last block's input by the gradient of the true label's logit.

    Selvaraju et al. 2017, on the output of the last block's first norm.
    """

    def explain(self, batch: cfft.Batch, view: cfft.StudentView) -> Tensor:
        """Return scores [B, gh, gw]."""
        return cfft.grad_cam_scores(view.capture, view.clean.logits, batch.labels)
