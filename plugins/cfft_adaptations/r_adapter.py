"""Robust adapters: residual, dropped at random, scaled down after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import cfft

if TYPE_CHECKING:
    import torch
    from torch import nn

_ROLES = ("attention-out", "mlp-out")


@cfft.adaptation("r-adapter")
class RAdapter(cfft.Adaptation):
    """Train linear residual adapters behind attention and MLP of each block.

    R-Adapter (Kim et al., ECCV 2024), section 3: h becomes h + A h, and as nothing in it is
    non-linear, the layer before takes it in: W becomes (I + A) W, and b becomes (I + A) b.

    - Adapter dropping: for each pass over a micro-batch in training each adapter is multiplied by
      g / (1 - drop), g from Bernoulli(1 - drop); a dropped one is the identity. The draws are
      independent, one for each adapter.
    - Re-scaling: outside training A is multiplied by `rescale`, which interpolates between the
      pre-trained and the fine-tuned weights: (I + rescale * A) W.
    - Accumulation over steps is a choice of its own: `--average ema`. It averages what the adapters
      make of the weights, which is the same as averaging A, but not for a `rank`.

    The paper's values are a drop of .2 and, for classification, a rescale of .5; A may be of low
    rank. Open, and taken: A starts at 0 (of a low-rank pair the second factor is drawn,
    Kaiming-uniform), and with LayerScale the adapter comes before it. The paper adapts the text
    encoder as well, of which the head is made. Here the head is changed directly: `rescaled` gives
    it the same interpolation. It is never dropped.
    """

    rank: int | None = cfft.param(None, help="rank of each adapter, none for a full matrix", ge=1)
    drop: float = cfft.param(0.2, help="probability that an adapter is dropped", ge=0, lt=1)
    rescale: float = cfft.param(0.5, help="factor of the adapters outside training", ge=0, le=1)
    head_weights: Literal["rescaled", "trained", "frozen"] = cfft.param(
        "rescaled",
        help="how the head is trained: with the same factor after it, without, not at all",
    )

    def attach(self, model: cfft.Classifier, rng: torch.Generator) -> Sequence[nn.Parameter]:
        """Return the adapters' parameters, block by block, then the head's."""
        from torch.nn.utils.parametrize import register_parametrization

        from cfft_adaptations.residual import Offset, ResidualBias, ResidualWeight

        trained: list[nn.Parameter] = []
        for each in (w for block in model.encoder.layers().blocks for w in block.weights):
            if each.role in _ROLES:
                adapter = ResidualWeight(each.value, self.rank, rng)
                register_parametrization(each.module, each.weight, adapter)
                if each.bias is not None:
                    register_parametrization(each.module, each.bias, ResidualBias(adapter))
                trained.extend(adapter.parameters())
        if self.head_weights == "rescaled":
            for name, value in list(model.head.named_parameters()):
                offset = Offset(value)
                register_parametrization(model.head, name, offset)
                trained.extend(offset.parameters())
        self.end_training(model)
        return [*trained, *(model.head.parameters() if self.head_weights == "trained" else ())]

    def begin_step(self, model: cfft.Classifier, rng: torch.Generator) -> None:
        """Draw which adapters are dropped: one number from `rng` for each, in the blocks' order."""
        import torch

        from cfft_adaptations.residual import ResidualWeight

        adapters = [each for each in _scaled(model) if isinstance(each, ResidualWeight)]
        for each in _scaled(model):
            each.factor = 1.0
        kept = (torch.rand(len(adapters), generator=rng) >= self.drop).tolist()
        for each, is_kept in zip(adapters, kept, strict=True):
            each.factor = is_kept / (1 - self.drop)

    def end_training(self, model: cfft.Classifier) -> None:
        """Multiply every adapter by `rescale`."""
        for each in _scaled(model):
            each.factor = self.rescale


def _scaled(model: cfft.Classifier) -> Sequence[Any]:
    from cfft_adaptations.residual import Scaled

    return [each for each in model.modules() if isinstance(each, Scaled)]
