"""LoRA's update of a weight, as a parametrization of torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LowRankUpdate(nn.Module):
    """Add `factor` * B A to a weight [S * O, I] of S stacked matrices.

    Each matrix has its own pair: `down`, A, is [S, R, I], `up`, B, is [S, O, R]. B starts at 0, A
    Kaiming-uniform: within 1 / sqrt(I), from `rng`.
    """

    def __init__(
        self, weight: Tensor, stacked: int, rank: int, factor: float, rng: torch.Generator
    ) -> None:
        super().__init__()
        outputs, inputs = weight.shape[0] // stacked, weight.shape[1]
        drawn = torch.rand(stacked, rank, inputs, generator=rng) * 2 - 1
        self.factor = factor
        self.down = nn.Parameter((drawn * inputs**-0.5).to(weight))
        self.up = nn.Parameter(weight.new_zeros(stacked, outputs, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight with its update, [S * O, I], in its own precision, autocast or not."""
        with torch.autocast(weight.device.type, enabled=False):
            return weight + self.factor * (self.up @ self.down).flatten(0, 1)
