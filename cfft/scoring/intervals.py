"""Confidence intervals of a share of images, some of which may be versions of one image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

_TAIL = 0.025


def share_ci95(correct: NDArray[np.bool_], original: NDArray[np.int64]) -> tuple[float, float]:
    """Return the 95 % interval of Clopper and Pearson (1934) at the effective number of images.

    `correct`, `original`: [N], N >= 1: whether a image was classified correctly, and the number
    of the image that it is a version of, 0 <= original < G. With N originals it is the plain
    interval; with fewer it is wider the more alike versions of one image fare (Korn and Graubard
    1998).
    """
    share, count = float(correct.mean()), effective_count(correct, original)
    right = share * count
    low = beta.ppf(_TAIL, right, count - right + 1) if share > 0 else 0.0
    high = beta.ppf(1 - _TAIL, right + 1, count - right) if share < 1 else 1.0
    return float(low), float(high)


def effective_count(correct: NDArray[np.bool_], original: NDArray[np.int64]) -> float:
    """Return how many independent images tell as much as these: share (1 - share) / variance.

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
