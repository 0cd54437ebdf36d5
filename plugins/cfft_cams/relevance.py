"""The relevance map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.cam("relevance")
class Relevance:
    """Trace the true label's logit back to the patches through attention.

    Chefer et al. 2021, and the map of both the paper and its reference program with
    `start_layer` 0. All layers together are artefact-prone on ViT-B/16.
    """

    start_layer: int = cfft.param(0, help="lowest layer that counts; the first is 0", ge=0)

    def explain(self, batch: cfft.Batch, view: cfft.StudentView) -> Tensor:
        """Return scores [B, gh, gw]; raises ConfigError for a layer the model lacks."""
        return cfft.relevance_scores(
            view.capture, view.clean.logits, batch.labels, start_layer=self.start_layer
        )
