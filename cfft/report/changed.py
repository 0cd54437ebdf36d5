"""Images that became wrong and images that became right from one model to another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from cfft.report.changes import start_of
from cfft.report.outcomes import Outcome
from cfft.report.sources.records import ReportedModel
from cfft.report.summary import Summary
from cfft.report.verdict import Verdict

MOST_IMAGES = 12
"""Images that are shown for each direction."""


@attrs.frozen
class Said:
    """Hold the label that a model predicted, and its probabilities of it and of the true label."""

    chosen: str
    share: float
    true_share: float


@attrs.frozen
class ChangedImage:
    """Hold an image by its name in the set, with its true label and both predictions."""

    name: str
    true: str
    before: Said
    after: Said


@attrs.frozen(eq=False)
class Changed:
    """Hold what changed on one OOD set between two models.

    `wrong`, `right`: how many of `images` became so. `became_wrong`, `became_right`: those whose
    true label changed its probability most, at most MOST_IMAGES each.
    """

    configuration: str
    before: ReportedModel
    after: ReportedModel
    set: str
    images: int
    wrong: int
    right: int
    became_wrong: tuple[ChangedImage, ...]
    became_right: tuple[ChangedImage, ...]


def changed_images(summary: Summary, verdict: Verdict) -> list[Changed]:
    """Return one per pair of models and OOD set whose predictions are of the same images.

    The pairs: the first run of each configuration and its start, the best configuration first;
    without models before fine-tuning each other configuration and the best one.
    """
    return [
        found
        for before, after, configuration in _pairs(summary, verdict)
        for name in summary.targets[1:]
        if (found := _changed(summary, before, after, name, configuration)) is not None
    ]


def _pairs(
    summary: Summary, verdict: Verdict
) -> Iterator[tuple[ReportedModel, ReportedModel, str]]:
    firsts = [(standing.group.models[0], standing.name) for standing in verdict.standings]
    if any(model.is_start for model in summary.material.models):
        for model, name in firsts:
            start = start_of(summary, model)
            if start is not None:
                yield start, model, name
        return
    for model, name in firsts[1:]:
        yield model, firsts[0][0], f"from {name} to {firsts[0][1]}"


def _changed(
    summary: Summary,
    before: ReportedModel,
    after: ReportedModel,
    name: str,
    configuration: str,
) -> Changed | None:
    one, other = (summary.outcomes.get((model.label, name)) for model in (before, after))
    if one is None or other is None or one.digests != other.digests:
        return None
    wrong = np.flatnonzero(one.correct & ~other.correct)
    right = np.flatnonzero(~one.correct & other.correct)
    classes = summary.material.classes.get(after.source, ())
    return Changed(
        configuration,
        before,
        after,
        name,
        len(one.labels),
        len(wrong),
        len(right),
        *(tuple(_told(one, other, rows, classes)) for rows in (wrong, right)),
    )


def _told(
    one: Outcome, other: Outcome, rows: NDArray[np.int64], classes: Sequence[str]
) -> Iterator[ChangedImage]:
    """Go through the images whose true label changed its probability most, ties in their order."""
    moved = np.abs(other.true_share[rows] - one.true_share[rows])
    for row in rows[np.argsort(-moved, kind="stable")[:MOST_IMAGES]].tolist():
        before, after = (
            Said(
                _class_name(classes, int(outcome.chosen[row])),
                float(outcome.chosen_share[row]),
                float(outcome.true_share[row]),
            )
            for outcome in (one, other)
        )
        true = _class_name(classes, int(one.labels[row]))
        yield ChangedImage(one.names[row], true, before, after)


def _class_name(classes: Sequence[str], index: int) -> str:
    return classes[index] if index < len(classes) else str(index)
