"""The weight ensemble of the pre-trained and the fine-tuned model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.merge("wise")
class WiseMerge(cfft.Merge):
    """Average the weights of the pre-trained and the fine-tuned model.

    (1 - alpha) * start + alpha * fine-tuned: WiSE-FT (Wortsman et al. 2022, Eq. 1). The paper
    takes alpha 0.5 where no target is known.
    """

    alpha: float = cfft.param(0.5, help="share of the fine-tuned model", ge=0, le=1)

    def merge(
        self,
        start: Mapping[str, Tensor],
        tuned: Sequence[Mapping[str, Tensor]],
        score: cfft.Score,
    ) -> Mapping[str, Tensor]:
        """Return the average with the last of `tuned`."""
        return cfft.average_weights(start, tuned[-1], self.alpha)
