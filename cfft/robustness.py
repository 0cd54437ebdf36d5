"""Effective robustness: accuracy under shift beyond what accuracy in distribution predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from scipy.special import expit, logit
from scipy.stats import linregress

_EDGE = 1e-4  # logits of 0 and 1 are infinite

Accuracies = Mapping[str, float]


@attrs.frozen
class Line:
    """Hold a line through (ID, OOD) accuracies of models, straight on logit scales."""

    slope: float
    intercept: float

    def expected(self, accuracy: float) -> float:
        """Return the OOD accuracy, 0..1, of a model on the line with this ID accuracy."""
        return float(expit(self.slope * _scaled([accuracy])[0] + self.intercept))


def fit_line(points: Sequence[tuple[float, float]]) -> Line | None:
    """Fit by least squares on logit scales (Taori et al. 2020, Eq. 1).

    `points`: (ID, OOD) accuracies, 0..1. None with fewer than two different ID accuracies.
    """
    if len({x for x, _ in points}) < 2:
        return None
    inner, outer = (_scaled(values) for values in zip(*points, strict=True))
    fitted = linregress(inner, outer)
    return Line(float(fitted.slope), float(fitted.intercept))


def fit_lines(points: Sequence[Accuracies], test: str, others: Sequence[str]) -> dict[str, Line]:
    """Fit one line for each of `others` through the points that have it and the ID set `test`.

    Sets without such a line are left out.
    """
    lines = {
        name: fit_line([(each[test], each[name]) for each in points if {test, name} <= each.keys()])
        for name in others
    }
    return {name: line for name, line in lines.items() if line is not None}


def effective_robustness(
    accuracies: Accuracies, test: str, lines: Mapping[str, Line]
) -> Accuracies:
    """Return by set how far a model lies above the line, as a difference of shares."""
    return {
        name: accuracies[name] - line.expected(accuracies[test])
        for name, line in lines.items()
        if name in accuracies
    }


def _scaled(accuracies: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    scaled: np.ndarray[tuple[int], np.dtype[np.float64]] = logit(
        np.clip(np.asarray(accuracies, dtype=np.float64), _EDGE, 1 - _EDGE)
    )
    return scaled
