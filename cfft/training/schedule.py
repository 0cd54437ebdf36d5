"""Optimiser steps of a run and the learning rate at each of them."""

from __future__ import annotations

import math
import re

import attrs
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from cfft.config.settings import Training
from cfft.errors import ConfigError


@attrs.frozen
class Steps:
    """Count optimiser steps: in an epoch, in the whole run, and in its warm-up."""

    per_epoch: int
    total: int
    warmup: int


def count_steps(training: Training, per_epoch: int) -> Steps:
    """Return the optimiser steps of a run with so many in each epoch."""
    total = training.epochs * per_epoch
    warmup = training.warmup_steps
    return Steps(
        per_epoch, total, round(training.warmup_share * total) if warmup is None else warmup
    )


def make_scheduler(optimizer: Optimizer, training: Training, steps: Steps) -> LRScheduler:
    """Return the scheduler that is to be stepped once after every optimiser step.

    cosine: linear warm-up from lr/warmup, then half a cosine down to 0 after the last step.
    one-cycle: as in the reference program, up over 2 % of the steps from lr/25 and down to lr/25e4,
    with beta1 between 0.85 and 0.95 against it; the settings of warm-up do not touch it.
    """
    if training.schedule == "one-cycle":
        total = max(3, steps.total)
        return OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=total,
            pct_start=max(0.02, 2 / total),  # below 100 steps torch needs one step to rise in
            div_factor=25.0,
            final_div_factor=1e4,
            base_momentum=0.85,
            max_momentum=0.95,
        )
    falls = training.schedule == "cosine"
    return LambdaLR(optimizer, lambda step: factor(step, steps, falls=falls))


def factor(step: int, steps: Steps, *, falls: bool) -> float:
    """Return the learning rate of optimiser step `step`, counted from 0, as a share of its peak.

    It rises linearly over `steps.warmup` steps; `falls` says whether half a cosine follows.
    """
    if step < steps.warmup:
        return (step + 1) / steps.warmup
    if not falls:
        return 1.0
    progress = (step - steps.warmup) / max(1, steps.total - steps.warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


@attrs.frozen
class Interval:
    """Say how often extra checkpoints are due: every so many steps or seconds."""

    steps: float = math.inf
    seconds: float = math.inf

    def is_due(self, steps_since: int, seconds_since: float) -> bool:
        """Tell whether a checkpoint is due so long after the last one."""
        return steps_since >= self.steps or seconds_since >= self.seconds


def parse_interval(text: str | None) -> Interval:
    """Read `N` (steps) or `Nm` (minutes); raises ConfigError."""
    if text is None:
        return Interval()
    match = re.fullmatch(r"([1-9]\d*)(m?)", text.strip())
    if match is None:
        raise ConfigError(
            f"training.checkpoint_every: got '{text}', allowed: N for every N optimiser steps or "
            "Nm for every N minutes, with N >= 1 (100 or 15m)"
        )
    number, minutes = int(match[1]), bool(match[2])
    return Interval(seconds=60.0 * number) if minutes else Interval(steps=number)
