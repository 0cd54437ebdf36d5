"""The time that a run still takes, from the steps and evaluations that were seen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import attrs

from cfft.cli.output.numbers import duration


@attrs.define
class Clock:
    """Estimate the time that is left of a run, the evaluations that it still has included.

    `total`, `per_epoch`: optimiser steps; `batch`: images of each. `validated`: images that are
    measured after each epoch; `final`: those that are measured at the end. `measured`, `seconds`:
    images that were measured so far, and how long that took.
    """

    total: int = 0
    per_epoch: int = 0
    batch: int = 0
    validated: int = 0
    final: int = 0
    measured: int = 0
    seconds: float = 0.0
    first: tuple[int, float, float] | None = None

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> Clock:
        """Return the clock of a run from the data of its plan."""
        steps, sets = plan["steps"], plan.get("sets", ())
        images = {
            role: sum(each["n"] for each in sets if each["role"] == role)
            for role in ("val", "id", "ood")
        }
        batch = plan.get("batch", {}).get("effective", 0)
        per_epoch = steps.get("per_epoch", steps["total"])
        final = images["id"] + images["ood"]
        return cls(steps["total"], per_epoch, batch, images["val"], final)

    def evaluated(self, images: int, seconds: float) -> None:
        """Take how long it took to measure a model on images."""
        self.measured, self.seconds = self.measured + images, self.seconds + seconds

    def left(self, step: int) -> list[str]:
        """Spell the time that the run still takes; nothing at the first step."""
        now = time.monotonic()
        if self.first is None:
            self.first = (step, now, self.seconds)
        first, began, evaluating = self.first
        if step == first:
            return []
        per_step = (now - began - (self.seconds - evaluating)) / (step - first)
        left = per_step * (self.total - step) + self._per_image(per_step) * self._pending(step)
        return [f"{duration(max(0.0, left))} left"]

    def _per_image(self, per_step: float) -> float:
        """Return seconds per measured image; before any, those of training, which takes more."""
        if self.measured:
            return self.seconds / self.measured
        return per_step / self.batch if self.batch else 0.0

    def _pending(self, step: int) -> int:
        """Count the images that are still measured; validation follows the last step of an epoch.

        An early stop is not foreseen.
        """
        if not self.per_epoch:
            return self.final
        epochs = self.total // self.per_epoch - (step - 1) // self.per_epoch
        return epochs * self.validated + self.final
