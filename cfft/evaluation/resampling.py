"""Paired bootstrap: how far accuracies would vary over other pictures of the same kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cfft.randomness import generator

REPLICATES = 2000
_SEED = 0

Shares = NDArray[np.float64]


def resampled_top1(correct: Sequence[NDArray[np.bool_]], name: str) -> Shares:
    """Return top-1 of several models on the same redrawn pictures: [models, REPLICATES].

    `correct`: per model, [N]: whether each picture was classified correctly. N pictures are drawn
    with replacement (Efron 1979). The draws depend on `name`, the set's, and on N alone: a model
    gets the same replicates in any company.
    """
    outcomes = torch.from_numpy(np.stack(correct)).double()  # [models, N]
    n, rng = outcomes.shape[1], generator(_SEED, f"bootstrap {name}")
    replicates = [
        outcomes @ torch.bincount(torch.randint(n, (n,), generator=rng), minlength=n).double()
        for _ in range(REPLICATES)
    ]
    found: Shares = (torch.stack(replicates, dim=1) / n).numpy()
    return found


def interval95(replicates: Shares) -> tuple[float, float]:
    """Return the 2.5th and the 97.5th percentile."""
    low, high = np.quantile(replicates, (0.025, 0.975))
    return float(low), float(high)
