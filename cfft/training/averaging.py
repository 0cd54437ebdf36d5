"""The average of the student's weights over the optimiser steps of a run."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import attrs
import torch
from torch import Tensor, nn

from cfft.encoder.encoder import Classifier
from cfft.errors import StrategyResultError, returned
from cfft.model.interfaces import Average


@attrs.frozen(eq=False)
class WeightAverage:
    """Keep up an average of the student's weights, and of its text tower where that is trained.

    `model`: a plain copy of the student, in float32. `text`: a copy of the tower, or None. torch's
    AveragedModel forgets the model that training starts from and averages adapters, not the weights
    that they make.
    """

    strategy: Average
    model: Classifier
    text: nn.Module | None = None

    @property
    def is_kept(self) -> bool:
        """Tell whether the average is what is validated and stored."""
        return Average.of(self.strategy).kept

    def update(
        self, weights: Mapping[str, Tensor], text: nn.Module | None, step: int, steps: int
    ) -> None:
        """Take in the student's weights after optimiser step `step` of `steps`, counted from 1."""
        share = float(returned(self.strategy, "weigh", self.strategy.weigh(step, steps), Real))
        if not 0 <= share <= 1:
            problem = f"weigh() must return a share from 0 to 1, got {share}"
            raise StrategyResultError(self.strategy, problem)
        _approach(self.model.weights(), weights, share)
        if self.text is not None and text is not None:
            _approach(self.text.state_dict(), text.state_dict(), share)


@torch.no_grad()
def _approach(own: Mapping[str, Tensor], newest: Mapping[str, Tensor], share: float) -> None:
    for name, value in own.items():
        if value.is_floating_point():
            value.lerp_(newest[name].to(value.dtype), share)
        else:
            value.copy_(newest[name])
