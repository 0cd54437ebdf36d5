"""What a model's predictions for a set come to, beyond top-1."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import attrs
import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_calibration_error,
    multiclass_stat_scores,
)

from cfft.evaluate import Predictions, Score, chosen_labels, score

LabelSpace = Literal["subset", "full"]
_TOP = 5
_BINS = 15


@attrs.frozen
class FullScore(Score):
    """Hold what there is to say of a model on one set, all shares 0..1.

    `class_mean`: mean over the classes that have pictures of their top-1. `top5`: share of the
    pictures with a right class among the five of the largest logits, or among all where there are
    fewer. `ece`: expected calibration error over 15 bins of equal width (Guo et al. 2017).
    """

    class_mean: float
    top5: float
    ece: float


def in_label_space(predictions: Predictions, space: LabelSpace) -> Predictions:
    """Return predictions that are judged among the set's own classes, or among all there are."""
    if space == "subset":
        return predictions
    return attrs.evolve(predictions, classes=tuple(range(predictions.logits.shape[1])))


def full_score(predictions: Predictions) -> FullScore:
    """Return every score, among the classes that `predictions` names.

    Where several classes are right for a picture, the one with the largest logit is its target:
    it is the first choice, or among the first five, exactly where one of them is.
    """
    logits = predictions.logits[:, torch.tensor(predictions.classes)]  # [N, C]
    targets = _targets(predictions, logits)  # [N]
    count = logits.shape[1]
    hits, *_, n = multiclass_stat_scores(
        logits, targets, num_classes=count, average="micro", top_k=min(_TOP, count)
    ).tolist()
    ece = multiclass_calibration_error(
        logits.softmax(dim=1), targets, num_classes=count, n_bins=_BINS, norm="l1"
    )
    return FullScore(
        **attrs.asdict(score(predictions)),
        class_mean=_class_mean(predictions),
        top5=hits / n,
        ece=float(ece),
    )


def correct_pictures(predictions: Predictions) -> Tensor:
    """Tell of each picture whether top-1 is right: [N], bool."""
    return chosen_labels(predictions) == predictions.labels


def top1_on_classes(
    predictions: Predictions, classes: Collection[int], space: LabelSpace
) -> float | None:
    """Return top-1 on the pictures of `classes` alone, None where there are none.

    The arg-max is taken over those classes of the set, or over all classes in the full space.
    """
    kept = torch.isin(predictions.labels, torch.tensor(sorted(classes)))
    if not kept.any():
        return None
    among = tuple(index for index in predictions.classes if index in classes)
    judged = in_label_space(attrs.evolve(predictions, classes=among), space)
    return float(correct_pictures(judged)[kept].double().mean())


def _targets(predictions: Predictions, logits: Tensor) -> Tensor:
    """Return the position among the classes of each picture's likeliest right class: [N]."""
    stands_for = predictions.stands_for[torch.tensor(predictions.classes)]  # [C]
    right = stands_for == predictions.labels[:, None]  # [N, C]
    return logits.masked_fill(~right, -torch.inf).argmax(dim=1)


def _class_mean(predictions: Predictions) -> float:
    counts = multiclass_stat_scores(
        chosen_labels(predictions),
        predictions.labels,
        num_classes=predictions.logits.shape[1],
        average="none",
    )
    correct, pictures = counts[:, 0].double(), counts[:, 4].double()
    has_pictures = pictures > 0
    return float((correct[has_pictures] / pictures[has_pictures]).mean())
