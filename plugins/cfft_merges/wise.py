"""The weight ensemble of the pre-trained and the fine-tuned model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cfft

if TYPE_CHECKING:
    from torch import Tensor

_TENTHS = 10


@cfft.merge("wise")
class WiseMerge(cfft.Merge):
    """Average the weights of the pre-trained and the fine-tuned model.

    (1 - alpha) * start + alpha * fine-tuned: WiSE-FT (Wortsman et al. 2022, Eq. 1). The paper
    takes alpha 0.5 where no target is known.

    `alpha` none chooses among 0, 0.1, ... 1 by validation accuracy. Of equally good ones the
    smallest wins: it is nearest to the pre-trained model, whose accuracy falls least on images of
    another kind.
    """

    alpha: float | None = cfft.param(
        0.5, help="share of the fine-tuned model; none: chosen on validation", ge=0, le=1
    )

    def merge(
        self,
        start: Mapping[str, Tensor],
        tuned: Sequence[Mapping[str, Tensor]],
        score: cfft.Score,
    ) -> Mapping[str, Tensor]:
        """Return the average with the last of `tuned`."""
        end = tuned[-1]
        alpha = _chosen(start, end, score) if self.alpha is None else self.alpha
        return cfft.average_weights(start, end, alpha)


def _chosen(start: Mapping[str, Tensor], end: Mapping[str, Tensor], score: cfft.Score) -> float:
    alphas = [tenth / _TENTHS for tenth in range(_TENTHS + 1)]
    return max(alphas, key=lambda a: score(cfft.average_weights(start, end, a), f"alpha={a:g}"))
