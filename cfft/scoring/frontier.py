"""OOD accuracy of a method at a given ID accuracy, along the curve of its points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfft.scoring.intervals import Shares


def ood_at(id_: Shares, ood: Shares, at: Shares) -> Shares:
    """Return the OOD accuracies of a curve at the ID accuracies `at`: [R].

    `id_`, `ood`: [P, R], P >= 1, accuracies of the curve's points in R replicates, in any order;
    `at`: [R]; all are shares of 0..1. Between the two points next to `at` in ID accuracy it is
    linear, beyond the outermost points their line goes on. Where these two have the same ID
    accuracy it is the mean of both, and of a single point its own.
    """
    if len(id_) == 1:
        single: Shares = ood[0]
        return single
    order = np.argsort(id_, axis=0, kind="stable")
    id_, ood = (np.take_along_axis(each, order, axis=0) for each in (id_, ood))
    below = np.clip((id_ <= at).sum(axis=0) - 1, 0, len(id_) - 2)[None]  # [1, R]
    left, right = (np.take_along_axis(id_, below + step, axis=0)[0] for step in (0, 1))
    low, high = (np.take_along_axis(ood, below + step, axis=0)[0] for step in (0, 1))
    width = right - left
    part = np.divide(at - left, width, out=np.full_like(width, 0.5), where=width > 0)
    found: Shares = (1 - part) * low + part * high  # exact at both points
    return found


def reaches(id_: Shares, at: Shares) -> NDArray[np.bool_]:
    """Tell in which replicates a curve has points on both sides of `at`, or on it: [R]."""
    inside: NDArray[np.bool_] = (id_.min(axis=0) <= at) & (at <= id_.max(axis=0))
    return inside
