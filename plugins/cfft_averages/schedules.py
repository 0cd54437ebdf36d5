"""Averages over the steps of training, by the weight of each step."""

from __future__ import annotations

from functools import cache
from itertools import accumulate

import cfft


@cfft.average("ema")
class EmaAverage(cfft.Average):
    """Average exponentially: each step has `decay` times the next one's weight.

    average <- decay * average + (1 - decay) * student, the model that training starts from being
    the first average (Tarvainen and Valpola 2017, section 2). `warmup` uses
    min(decay, (1 + step) / (10 + step)) as TensorFlow's ExponentialMovingAverage does, so that a
    short run forgets its start.
    """

    decay: float = cfft.param(
        0.99, help="share of the old average that each step keeps", ge=0, lt=1
    )
    warmup: bool = cfft.param(False, help="forget the first steps faster")
    kept: bool = cfft.param(True, help="validate and store the average instead of the student")

    def weigh(self, step: int, steps: int) -> float:
        """Return 1 - decay; with warm-up more in the first steps."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.warmup else self.decay
        return 1 - decay


@cfft.average("swa")
class SwaAverage(cfft.Average):
    """Average the weights of the last part of training equally, every few steps.

    Stochastic weight averaging (Izmailov et al. 2018, algorithm 1): average <- (n * average +
    student) / (n + 1) at the n-th step that counts after the first one. Until it begins the average
    is the student. The paper's learning rate stays constant or is cycled meanwhile: see --schedule.
    """

    start: float = cfft.param(0.5, help="share of all steps before averaging begins", ge=0, lt=1)
    every: int = cfft.param(1, help="optimiser steps between two averaged ones", ge=1)
    kept: bool = cfft.param(True, help="validate and store the average instead of the student")

    def weigh(self, step: int, steps: int) -> float:
        """Return 1 / n at the n-th averaged step, 0 between them and 1 before the first."""
        late = step - max(1, round(self.start * steps))  # 0 at the first that counts
        if late < 0:
            return 1.0
        return 0.0 if late % self.every else 1 / (late // self.every + 1)


@cfft.average("beta")
class BetaAverage(cfft.Average):
    """Average the whole trajectory with the weights of a beta distribution.

    Beta moving average of CLIPood (Shu et al. 2023), the kernel that TRACER's teacher takes
    (Asadollahzadeh et al. 2026, definition C.4): step t of T, the pre-trained model being t = 0,
    weighs as the density of Beta(beta, beta) at (t + 0.5) / (T + 1). A `beta` below 1 favours both
    ends: the pre-trained model and the last steps.
    """

    beta: float = cfft.param(0.5, help="both parameters of the distribution", gt=0)
    kept: bool = cfft.param(True, help="validate and store the average instead of the student")

    def weigh(self, step: int, steps: int) -> float:
        """Return the step's density over the sum of all densities up to it."""
        densities, sums = _densities(self.beta, steps)
        return densities[step] / sums[step]


@cache
def _densities(beta: float, steps: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the un-normalised density of each step, the start being step 0, and their sums."""
    places = ((step + 0.5) / (steps + 1) for step in range(steps + 1))
    densities = tuple((place * (1 - place)) ** (beta - 1) for place in places)
    return densities, tuple(accumulate(densities))
