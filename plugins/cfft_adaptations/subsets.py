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
