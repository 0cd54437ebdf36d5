"""The images of each batch: drawn anew for every epoch, the same in every resumed run."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor

from cfft.config.settings import Training
from cfft.data.compact import Batches
from cfft.data.loading import balanced_order, drawn_order
from cfft.errors import ConfigError

NEGLIGIBLE = 10  # an epoch may leave out a tenth of the images before anybody is warned


@attrs.frozen
class BatchPlan:
    """Divide optimiser steps among processes and micro-batches.

    `images`: training images. `batch`: images per optimiser step over all processes.
    `processes`, `micro`: images of a micro-batch at most, `accumulation`: micro-batches that one
    process runs per step. `balanced`: the label of each image where an epoch draws all classes as
    often, None where it has every image once.
    """

    images: int
    batch: int
    processes: int
    micro: int
    balanced: tuple[int, ...] | None = attrs.field(default=None, repr=False)

    @property
    def share(self) -> int:
        """Count the images of one process in one optimiser step."""
        return self.batch // self.processes

    @property
    def accumulation(self) -> int:
        """Count the micro-batches of one process in one optimiser step."""
        return -(-self.share // self.micro)

    @property
    def smallest_micro(self) -> int:
        """Count the images of the smallest micro-batch."""
        return self.share // self.accumulation

    @property
    def steps_per_epoch(self) -> int:
        """Count the optimiser steps of an epoch; an incomplete batch at its end is left out."""
        return self.images // self.batch

    def micro_batches(
        self, seed: int, epoch: int, process: int, first_step: int = 0
    ) -> Sequence[list[int]]:
        """Return the indices of each micro-batch of a process, from a step of the epoch on.

        The order is drawn from (seed, epoch) alone, so that all processes agree and a resumed run
        draws what the uninterrupted one has drawn.
        """
        return self._parts(self._drawn(seed, epoch), process, first_step)

    def numbers(self, epoch: int, process: int, first_step: int = 0) -> Sequence[list[int]]:
        """Number the images of `micro_batches` through the run, whatever order they are drawn in.

        The number of an image is its place in the order of its epoch, after all epochs before.
        """
        places = epoch * self.images + torch.arange(self.images)
        return self._parts(places, process, first_step)

    def order(self, seed: int, epoch: int) -> list[int]:
        """Return the indices of the images in the order in which an epoch sees them."""
        drawn: list[int] = self._drawn(seed, epoch).tolist()
        return drawn

    def _drawn(self, seed: int, epoch: int) -> Tensor:
        if self.balanced is None:
            return drawn_order(self.images, seed, epoch)
        return balanced_order(self.balanced, seed, epoch)

    def _parts(self, order: Tensor, process: int, first_step: int) -> Sequence[list[int]]:
        """Divide what stands for the images of an epoch, in their order."""
        steps = order[: self.steps_per_epoch * self.batch].view(-1, self.processes, self.share)
        own = steps[first_step:, process]  # [steps, share]
        parts = torch.tensor_split(own, self.accumulation, dim=1)
        return Batches([part.numpy() for part in parts])


def plan_batches(
    training: Training, images: int, processes: int, labels: Sequence[int] = ()
) -> BatchPlan:
    """Divide the batch as the settings say; raises ConfigError where that leaves a remainder.

    Fewer images than one batch make the batch smaller, a multiple of the processes. `labels`: one
    for each image, read where classes are balanced.
    """
    micro = training.micro_batch or training.batch_size // processes
    if micro == 0 or training.batch_size % (micro * processes):
        raise ConfigError(_indivisible(training, micro, processes))
    if images < processes:
        raise ConfigError(f"{images} training images are too few for {processes} processes")
    batch = min(training.batch_size, images - images % processes)
    balanced = tuple(labels) if training.sampling == "balanced" else None
    return BatchPlan(images, batch, processes, min(micro, batch // processes), balanced)


def fuller_batch(images: int, asked: int, unit: int) -> int | None:
    """Return the largest batch below `asked` that leaves out a negligible part of an epoch.

    It is a multiple of `unit` and more than one image; None where there is none.
    """
    smaller = range((asked - 1) // unit * unit, 1, -unit)
    fitting = (n for n in smaller if images % n <= images // NEGLIGIBLE)
    return next(fitting, None)


def _indivisible(training: Training, micro: int, processes: int) -> str:
    unit = max(1, micro) * processes
    near = sorted(
        {max(1, training.batch_size // unit) * unit, -(-training.batch_size // unit) * unit}
    )
    return (
        f"--batch-size {training.batch_size} (training.batch_size) is no multiple of --micro-batch "
        f"{max(1, micro)} x {processes} processes = {unit}: "
        f"give --batch-size {' or '.join(map(str, near))}"
    )
