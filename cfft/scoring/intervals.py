"""Confidence intervals of accuracies, where some images may be versions of one image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cfft.runtime.randomness import generator

REPLICATES = 2000
_SEED = 0
_TAIL = 0.025
Shares = NDArray[np.float64]


def share_ci95(correct: NDArray[np.bool_], original: NDArray[np.int64]) -> tuple[float, float]:
    """Return the 95 % interval of Clopper and Pearson (1934) at the effective number of images.

    `correct`, `original`: [N], N >= 1: whether an image was classified correctly, and the number
    of the image that it is a version of, 0 <= original < G. With N originals it is the plain
    interval; with fewer it is wider the more alike versions of one image fare (Korn and Graubard
    1998).
    """
    from scipy.stats import beta  # it takes a second, and a plan needs no interval

    share, count = float(correct.mean()), effective_count(correct, original)
    right = share * count
    low = beta.ppf(_TAIL, right, count - right + 1) if share > 0 else 0.0
    high = beta.ppf(1 - _TAIL, right + 1, count - right) if share < 1 else 1.0
    return float(low), float(high)


def effective_count(correct: NDArray[np.bool_], original: NDArray[np.int64]) -> float:
    """Return the number of independent images with the same variance: share (1 - share) / var.

    The variance is that of a ratio over originals. It is never more than N; where all are right or
    all wrong, or versions of a single original, nothing is known of the variance, and each original
    counts once.
    """
    share, n, sizes = correct.mean(), len(correct), np.bincount(original)
    originals = np.count_nonzero(sizes)
    if share in (0, 1) or originals == 1:
        return float(originals)
    off = np.bincount(original, weights=correct) - share * sizes  # [G]
    spread = float(np.square(off).sum())
    return min(float(n), share * (1 - share) * n**2 / spread) if spread else float(n)


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
    low, high = np.quantile(replicates, (_TAIL, 1 - _TAIL))
    return float(low), float(high)
