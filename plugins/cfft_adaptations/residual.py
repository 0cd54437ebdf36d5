"""The residual adapter of R-Adapter, as parametrizations of the layer before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Scaled(nn.Module):
    """Change a tensor by `factor` times something; the factor differs from step to step."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = 1.0  # no part of the state: drawn at each step, fixed outside training


class ResidualWeight(Scaled):
    """Return (I + factor * A) W, which the layer W followed by h + factor * A h computes.

    A is [O, O], or U V of `rank`: U [O, R], V [R, O]. A and U start at 0; V is drawn from `rng`,
    Kaiming-uniform: within 1 / sqrt(O).
    """

    def __init__(self, weight: Tensor, rank: int | None, rng: torch.Generator) -> None:
        super().__init__()
        size = len(weight)
        self.adapter = nn.Parameter(weight.new_zeros(size, size if rank is None else rank))
        self.down: nn.Parameter | None = None
        if rank is not None:
            drawn = torch.rand(rank, size, generator=rng) * 2 - 1
            self.down = nn.Parameter((drawn * size**-0.5).to(weight))

    def forward(self, before: Tensor) -> Tensor:
        """Return the weight [O, I], or bias [O], in its own precision, autocast or not."""
        with torch.autocast(before.device.type, enabled=False):
            seen = before if self.down is None else self.down @ before
            return before + self.factor * (self.adapter @ seen)


class ResidualBias(nn.Module):
    """Return (I + factor * A) b with the adapter of the weight of the same layer."""

    def __init__(self, weight: ResidualWeight) -> None:
        super().__init__()
        self._weight = (weight,)  # a tuple, so that its parameters are listed and stored once

    def forward(self, before: Tensor) -> Tensor:
        """Return the bias [O] with the adapter in it."""
        changed: Tensor = self._weight[0](before)
        return changed


class Offset(Scaled):
    """Add `factor` times a trained tensor, which starts at 0."""

    def __init__(self, before: Tensor) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros_like(before))

    def forward(self, before: Tensor) -> Tensor:
        """Return the changed tensor, of the same shape."""
        return before + self.factor * self.offset
