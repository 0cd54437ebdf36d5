"""Effective robustness: OOD accuracy beyond what ID accuracy predicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs
from scipy.special import expit, logit

FEWEST_ON_A_LINE = 3
"""The number of models that a line needs: two always lie on one."""


@attrs.frozen
class AccuracyLine:
    """Predict OOD accuracy from ID accuracy: logit(OOD) = slope * logit(ID) + intercept.

    `models`: how many it was fitted on. `r2`: the share of the variance of logit(OOD) that it
    explains, None where there is none.
    """

    slope: float
    intercept: float
    models: int
    r2: float | None

    def expected(self, id_accuracy: float) -> float:
        """Return the OOD accuracy on the line; both are shares of 0..1.

        A level line predicts the same for every accuracy, also for 0 and 1, which have no logit.
        """
        rise = self.slope * logit(id_accuracy) if self.slope else 0.0
        return float(expit(rise + self.intercept))


def fit_line(accuracies: Iterable[tuple[float, float]]) -> AccuracyLine | None:
    """Fit the line to (ID, OOD) accuracies of models, shares of 0..1, by least squares.

    On the logit scale, as Taori et al. (2020, "Measuring Robustness to Natural Distribution
    Shifts in Image Classification") do. Accuracies of 0 and 1 have no logit: such models are left
    out. None without two models of different ID accuracy.
    """
    usable = [(id_, ood) for id_, ood in accuracies if 0 < id_ < 1 and 0 < ood < 1]
    if len({id_ for id_, _ in usable}) < 2:
        return None
    from scipy.stats import linregress  # it takes a second

    fit = linregress(*logit(list(zip(*usable, strict=True))))
    varies = len({ood for _, ood in usable}) > 1
    r2 = float(fit.rvalue**2) if varies else None
    return AccuracyLine(float(fit.slope), float(fit.intercept), len(usable), r2)


def fit_lines(
    models: Sequence[Mapping[str, float]],
    id_set: str,
    targets: Iterable[str],
    fewest: int = FEWEST_ON_A_LINE,
) -> dict[str, AccuracyLine]:
    """Return the lines between the ID set and each target that `fewest` models or more are on.

    `models`: shares of 0..1 by set, the OOD average among them; `targets`: OOD sets and average.
    """
    lines = {
        name: fit_line((own[id_set], own[name]) for own in models if {id_set, name} <= own.keys())
        for name in targets
    }
    return {name: line for name, line in lines.items() if line and line.models >= fewest}


def effective_robustness(
    id_accuracy: float, ood_accuracy: float, line: AccuracyLine
) -> float | None:
    """Return OOD accuracy minus what `line` predicts, as a share: 0.05 is 5 points.

    The line is fitted on the logit scale; the residual is taken between accuracies, as Taori et
    al. (2020) define it. None for an ID accuracy of 0 or 1, of which a rising line predicts 0 or 1
    whatever its models are; a level line predicts the same of all.
    """
    is_on_line = 0 < id_accuracy < 1 or not line.slope
    return ood_accuracy - line.expected(id_accuracy) if is_on_line else None
