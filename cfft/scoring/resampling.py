"""Paired bootstrap: how far accuracies would vary over other images of the same kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cfft.runtime.randomness import generator

REPLICATES = 2000
_SEED = 0

Shares = NDArray[np.float64]


def resampled_top1(
    correct: Sequence[NDArray[np.bool_]], original: NDArray[np.int64], name: str
) -> Shares:
    """Return top-1 of several models on the same redrawn images, 0..1: [models, REPLICATES].

    `correct`: per model, [N]: whether each image was classified correctly. `original`: [N], the
    number of the image that each is a version of, 0 <= original < G. G originals are drawn with
    replacement (Efron 1979), each with all its versions. The draws depend on `name` and G alone:
    sets of the same originals are redrawn together if they go by one name, and a model gets the
    same replicates in any company.
    """
    sizes = np.bincount(original)  # [G]
    counts = [np.bincount(original, weights=outcome, minlength=len(sizes)) for outcome in correct]
    right = torch.from_numpy(np.stack([*counts, sizes]))  # [models + 1, G], the last row is sizes
    g, rng = len(sizes), generator(_SEED, f"bootstrap {name}")
    replicates = [
        right @ torch.bincount(torch.randint(g, (g,), generator=rng), minlength=g).double()
        for _ in range(REPLICATES)
    ]
    drawn = torch.stack(replicates, dim=1)  # [models + 1, REPLICATES]
    found: Shares = (drawn[:-1] / drawn[-1]).numpy()
    return found


def interval95(replicates: Shares) -> tuple[float, float]:
    """Return the 2.5th and the 97.5th percentile."""
    low, high = np.quantile(replicates, (0.025, 0.975))
    return float(low), float(high)
