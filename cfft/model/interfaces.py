"""The interfaces of the strategies that choose which weights are trained, averaged and kept."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from cfft.plugin.interface import Strategy, attribute

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from cfft.encoder.encoder import Classifier


class Adaptation(Strategy):
    """Choose which weights are trained, and put adapters on the others."""

    @abstractmethod
    def attach(self, model: Classifier, rng: torch.Generator) -> Sequence[nn.Parameter]:
        """Return the parameters to train; cfft freezes all others.

        `model.encoder.layers()` names blocks, their linear weights, norms and output, whichever
        library built the encoder. Adapters are parametrizations (torch.nn.utils.parametrize) of the
        model's own parameters, so that every stored model has plain weights: cfft stores what they
        compute. They start as the identity, and only once is a tensor registered that they share.
        Weight decay acts on what is returned like on any parameter: it pulls adapters towards the
        model that training started from. `rng`: CPU generator for their first values.
        """

    def begin_step(self, model: Classifier, rng: torch.Generator) -> None:
        """Draw what changes from step to step, such as which adapters are dropped.

        Called before every forward pass over a micro-batch in training, in each process with draws
        of its own. `rng`: CPU generator of that micro-batch, on which everything drawn depends:
        nothing is kept from step to step. Default: nothing.
        """

    def end_training(self, model: Classifier) -> None:
        """Undo what holds in training alone; default: nothing.

        Called before weights are read, often and in any state: after it they must not depend on
        what the last `begin_step` drew.
        """


class Average(Strategy):
    """Weigh the newest weights in an average over optimiser steps."""

    @abstractmethod
    def weigh(self, step: int, steps: int) -> float:
        """Return w, 0 to 1: average <- (1 - w) * average + w * student.

        Called after optimiser step `step` of `steps`, counted from 1. The average starts as the
        model that training starts from.
        """

    @attribute
    def kept(self) -> bool:
        """Whether the average, not the student, is validated and stored. Default: True."""
        return True


class Score(Protocol):
    """Measure weights on the validation images."""

    def __call__(self, weights: Mapping[str, Tensor], candidate: str) -> float:
        """Return top-1, 0 to 1; `candidate` names the weights in reports."""


class Merge(Strategy):
    """Merge the weights of models that share an architecture."""

    @abstractmethod
    def merge(
        self,
        start: Mapping[str, Tensor],
        tuned: Sequence[Mapping[str, Tensor]],
        score: Score,
    ) -> Mapping[str, Tensor]:
        """Return new weights; never write into those given.

        `start`: the model before fine-tuning. `tuned`: fine-tuned models; each access reads one
        from the disk again, so go through them one by one and keep few.
        """

    @attribute
    def smallest_count(self) -> int:
        """The number of fine-tuned models that `merge` needs at least. Default: 1."""
        return 1

    @attribute
    def uses_start(self) -> bool:
        """Whether `merge` looks at `start`, which `cfft merge` then takes as its first model.

        Default: True.
        """
        return True

    @attribute
    def averages_heads(self) -> bool:
        """Whether heads are averaged, which is meaningless where they started from random values.

        Default: True.
        """
        return True
