"""Reports of progress during a run, and the plan that is shown before it starts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import attrs

EVALUATING = "evaluating"
"""The first word of the names of tasks that measure a model on images."""

Advance = Callable[[int], None]
"""Function that is called with the number of units done so far."""


def ignore(done: int) -> None:
    """Do nothing: no one watches the progress."""


@attrs.frozen
class Plan:
    """Describe a run before anything expensive happens.

    `facts`: lines for people, as (group, name, value), in order. `warnings`: lines about likely
    mistakes. `data`: the same as plain values for `--json`.
    """

    facts: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]
    data: Mapping[str, Any]


class Reporter(Protocol):
    """Watch a run: every method returns at once, and none may change the run.

    A class that inherits from this one needs to give only the methods that it wants.
    """

    def planned(self, plan: Plan) -> None:
        """Take the plan, before training."""
        return

    def task(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """Show a task of `total` units (images, steps) while a block runs; tasks do not nest.

        The block gets a function that it calls with the number of units done so far.
        """
        return nullcontext(ignore)

    def resumed(self, best: float) -> None:
        """Take what the best epoch of earlier sessions was chosen by, the higher the better."""
        return

    def measured(self, images: str, role: str, top1: float, *, before: bool) -> None:
        """Take the accuracy on a set, 0..1, as soon as it is known.

        `role`: id or ood. `before`: whether it is that of the model before fine-tuning.
        """
        return

    def stepped(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take the losses, lr and images_per_second of optimiser step `step`, counted from 1."""
        return

    def epoch_ended(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Take the measurements at the end of epoch `epoch`, counted from 1."""
        return

    def noted(self, message: str) -> None:
        """Take a note about the run that is no warning."""
        return

    def warned(self, message: str) -> None:
        """Take a warning, which does not stop the run."""
        return


class Silent(Reporter):
    """Watch a run and say nothing."""


class PythonWarnings(Reporter):
    """Pass warnings on to Python's `warnings`, and say nothing else."""

    def planned(self, plan: Plan) -> None:
        for message in plan.warnings:
            self.warned(message)

    def warned(self, message: str) -> None:
        warnings.warn(message, stacklevel=2)
