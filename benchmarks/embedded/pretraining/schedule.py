"""How long, on what and how fast to train."""

from __future__ import annotations

import attrs

from .stream import Difficulty


@attrs.frozen
class Settings:
    """Say how long and on what to train.

    All lengths are in steps. `ramp`: until the stream is as hard as it gets. `decay`: at the end,
    in which the learning rate falls to zero. `whole`: at the end, in which no patch is dropped;
    before it, a share of `dropped` is. A run may be resumed with other `steps` as long as its
    decay has not begun: it then is the run that had them from the beginning.
    """

    steps: int = 9000
    batch: int = 64
    learning_rate: float = 7e-4
    weight_decay: float = 0.1
    warm_up: int = 400
    ramp: int = 3000
    decay: int = 5000
    whole: int = 400
    dropped: float = 0.5
    wrong: float = 0.1
    objects: int = 40_000
    scenes: int = 8_500
    seed: int = 0
    judge_every: int = 500
    judged: int = 240
    bf16: bool = True
    processes: int = 2


def rate(settings: Settings, step: int) -> float:
    """Return the learning rate of a step: warm-up, plateau, straight line to zero."""
    rising, falling = (step + 1) / settings.warm_up, (settings.steps - step) / settings.decay
    return settings.learning_rate * min(1.0, rising, falling)


def difficulty(settings: Settings, step: int) -> Difficulty:
    """Return how hard a step is: plain and rightly named at first, the world as it is later."""
    progress = min(1.0, step / settings.ramp)
    return Difficulty(settings.wrong * progress, 0.7 * (1 - progress), 0.06 * progress)
