"""The disk that a run takes, known before its first step."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import attrs
from torch import Tensor

from cfft.config.layers import usual
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError
from cfft.runtime.machine import free_disk, in_bytes
from cfft.training.prepare import Prepared

_MOMENTS = 2  # AdamW keeps two for each trained value, in its type
_LOGIT_BYTES = 4


@attrs.frozen
class DiskUse:
    """Hold the bytes that a run takes: `kept` once it is finished, `peak` at most meanwhile.

    Both are somewhat too low: figures, tables and adapters are not counted.
    """

    kept: int
    peak: int

    def __add__(self, other: DiskUse) -> DiskUse:
        """Return the use of two runs, one after another, that both stay."""
        return DiskUse(self.kept + other.kept, max(self.peak, self.kept + other.peak))


def disk_use(config: RunConfig, prepared: Prepared, meanwhile: int = 0) -> DiskUse:
    """Return the disk that the checkpoints and predictions of a run take.

    The checkpoint to resume from is written beside the one that it replaces. `meanwhile`: bytes of
    other things that lie there as long as the run trains.
    """
    weights = _size(prepared.pretrained.encoder.state_dict().values())
    last = weights + _training_state(config, prepared, weights)
    best = weights * max(1, config.training.keep_best)
    merged = weights if config.merge is not None else 0
    kept = last + best + merged + _predictions(config, prepared)
    return DiskUse(kept, kept + meanwhile + (last if config.training.epochs else 0))


def check_disk(use: DiskUse, out: Path) -> None:
    """Raise ConfigError where a new run cannot be stored in full."""
    free = free_disk(out)
    if free is not None and use.peak > free:
        raise ConfigError(
            f"--out {out}: the run needs at least {in_bytes(use.peak)} of disk and "
            f"{in_bytes(free)} are free: free some, or give --out DIR on another disk"
        )


def _training_state(config: RunConfig, prepared: Prepared, weights: int) -> int:
    """Return the bytes of the optimiser and of an average, as far as they are known by now."""
    average = weights if config.average is not None else 0
    if not config.training.epochs or config.adaptation.name != usual("adaptation"):
        return average  # what an adaptation trains it says later
    frozen = {name for names in prepared.frozen.values() for name in names}
    tower = prepared.pretrained.encoder.tower.named_parameters()
    trained = (value for name, value in tower if f"visual.{name}" not in frozen)
    return average + _MOMENTS * _size(trained)


def _predictions(config: RunConfig, prepared: Prepared) -> int:
    sets, classes = prepared.sets, len(prepared.sets.classes)
    images = sum(len(each) for each in (sets.test, *sets.ood))
    times = 1 if config.training.no_before else 2
    return times * images * classes * _LOGIT_BYTES


def _size(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
