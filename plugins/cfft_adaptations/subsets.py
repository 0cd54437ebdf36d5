"""Adaptations that train a part of the model's own weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cfft

if TYPE_CHECKING:
    import torch
    from torch import nn


@cfft.adaptation("all")
class AllWeights(cfft.Adaptation):
    """Train encoder and head, as the paper does."""

    def attach(self, model: cfft.Classifier, rng: torch.Generator) -> Sequence[nn.Parameter]:
        """Return every parameter."""
        return list(model.parameters())


@cfft.adaptation("head")
class HeadAlone(cfft.Adaptation):
    """Train the head alone; the encoder stays as it is."""

    def attach(self, model: cfft.Classifier, rng: torch.Generator) -> Sequence[nn.Parameter]:
        """Return the head's parameters."""
        return list(model.head.parameters())


@cfft.adaptation("last-blocks")
class LastBlocks(cfft.Adaptation):
    """Train the last transformer blocks, the final norm, the projection and the head.

    Everything below them stays as it is, so that no gradient is computed there.
    """

    blocks: int = cfft.param(1, help="number of transformer blocks to train", ge=0)

    def attach(self, model: cfft.Classifier, rng: torch.Generator) -> Sequence[nn.Parameter]:
        """Return their parameters; raises ConfigError where the model has fewer blocks."""
        layers = model.encoder.layers()
        count = len(layers.blocks)
        if self.blocks > count:
            raise cfft.ConfigError(
                f"adaptation 'last-blocks': blocks is {self.blocks}, but the model has {count}; "
                "to train everything choose --adaptation all"
            )
        chosen = layers.blocks[count - self.blocks :]
        within = (parameter for block in chosen for parameter in block.module.parameters())
        return [*within, *layers.output, *model.head.parameters()]


@cfft.adaptation("norms")
class Norms(cfft.Adaptation):
    """Train the encoder's normalisation layers and the head.

    The affine parameters are what TENT (Wang et al. 2021, section 3.2.1) adapts at test time, and
    what LN-Tuning (Qi et al. 2022) trains. All of them are trained: those of the blocks and those
    before and behind them.
    """

    train_head: bool = cfft.param(True, help="train the head as well")

    def attach(self, model: cfft.Classifier, rng: torch.Generator) -> Sequence[nn.Parameter]:
        """Return weights and biases of the norms, and the head's where it is trained."""
        norms = (p for norm in model.encoder.layers().norms for p in norm.parameters())
        return [*norms, *(model.head.parameters() if self.train_head else ())]
