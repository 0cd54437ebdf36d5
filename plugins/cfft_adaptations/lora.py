"""Low-rank adaptation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import cfft

if TYPE_CHECKING:
    import torch
    from torch import nn

_ROLES = {
    "attention": ("attention-in", "attention-out"),
    "mlp": ("mlp-in", "mlp-out"),
    "all": ("attention-in", "attention-out", "mlp-in", "mlp-out"),
}


@cfft.adaptation("lora")
class Lora(cfft.Adaptation):
    """Add trained low-rank matrices to the frozen linear weights of the blocks.

    W + alpha / rank * B A (LoRA, Hu et al. 2022, section 4.1), B = 0 at the start and A
    Kaiming-uniform, as in its authors' library; the paper draws A from a normal distribution.
    Queries, keys, values and the output each have a pair of matrices; the paper trains those of
    queries and values. It leaves alpha open but for a constant: here it is the default rank, so
    that the factor starts at 1. Dropout on the adapters' inputs, which the authors' library offers,
    is left out: it does not act on weights. Biases stay as they are.
    """

    rank: int = cfft.param(8, help="rank of each update", ge=1)
    alpha: float = cfft.param(8.0, help="scale: updates are multiplied by alpha / rank", gt=0)
    targets: Literal["attention", "mlp", "all"] = cfft.param(
        "attention", help="weights of each block that have an update"
    )
    train_head: bool = cfft.param(True, help="train the head as well")

    def attach(self, model: cfft.Classifier, rng: torch.Generator) -> Sequence[nn.Parameter]:
        """Return the updates' parameters, block by block, and the head's where it is trained."""
        from torch.nn.utils.parametrize import register_parametrization

        from cfft_adaptations.low_rank import LowRankUpdate

        trained: list[nn.Parameter] = []
        for each in (w for block in model.encoder.layers().blocks for w in block.weights):
            if each.role in _ROLES[self.targets]:
                factor = self.alpha / self.rank
                update = LowRankUpdate(each.value, each.stacked, self.rank, factor, rng)
                register_parametrization(each.module, each.weight, update)
                trained.extend(update.parameters())
        return [*trained, *(model.head.parameters() if self.train_head else ())]
