"""Compare what was written with the model that it was made of."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from cfft.encoder.encoder import Classifier
from cfft.errors import WeightsError, returned
from cfft.evaluation.exporting.record import Agreement
from cfft.model.exporter import Exporter
from cfft.records import Encoded

_BATCHES = (3, 1)


@torch.no_grad()
def agreement(
    exporter: Exporter, name: str, folder: Path, model: Classifier, size: tuple[int, int]
) -> Agreement:
    """Return how far outputs on noise images of `size` are apart, in batches of 3 and of 1.

    Raises WeightsError for outputs of other shapes or further apart than the exporter's tolerance;
    `name`: its name.
    """
    reloaded = exporter.reload(folder)
    draw = torch.Generator().manual_seed(0)
    found = []
    for count in _BATCHES:
        images = torch.rand(count, 3, *size, generator=draw)
        found.append((returned(exporter, "reload", reloaded(images), Encoded), model(images)))
    largest = {
        part: max(_difference(name, part, getattr(a, part), getattr(b, part)) for a, b in found)
        for part in ("features", "logits")
    }
    for part, difference in largest.items():
        if difference > exporter.tolerance:
            raise WeightsError(
                f"format '{name}' does not hold this model: its {part}, loaded again, differ by "
                f"{difference:.2g} of the largest, allowed {exporter.tolerance:.2g}; nothing was "
                "written"
            )
    return Agreement(**largest)


def _difference(name: str, part: str, theirs: Tensor, ours: Tensor) -> float:
    if theirs.shape != ours.shape:
        raise WeightsError(
            f"format '{name}' does not hold this model: its {part}, loaded again, are "
            f"{list(theirs.shape)}, not {list(ours.shape)}; nothing was written"
        )
    largest = ours.abs().max().clamp_min(torch.finfo(ours.dtype).tiny)
    difference = float((theirs.to(ours) - ours).abs().max() / largest)
    return difference if math.isfinite(difference) else math.inf
