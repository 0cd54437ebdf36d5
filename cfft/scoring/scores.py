"""What a model's predictions for a set come to, beyond top-1."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal

import attrs
import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_stat_scores,
)

from cfft.scoring.evaluate import score
from cfft.scoring.predictions import Predictions, chosen_labels
from cfft.scoring.results import Role, SetResult

LabelSpace = Literal["subset", "full"]
_TOP = 5
_BINS = 15
_BELOW_1 = math.nextafter(1, 0)


def in_label_space(predictions: Predictions, space: LabelSpace) -> Predictions:
    """Return predictions that are judged among the set's own classes, or among all there are."""
    if space == "subset":
        return predictions
    return attrs.evolve(predictions, classes=tuple(range(predictions.logits.shape[1])))


def full_score(predictions: Predictions, role: Role = "id") -> SetResult:
    """Return every score, among the classes that `predictions` names.

    A class that stands for a label is right where the label is. Of a single class nothing but 1 can
    come out.
    """
    return attrs.evolve(
        score(predictions, role),
        class_mean=_class_mean(predictions),
        top5=_top5(predictions),
        ece=_calibration_error(predictions),
        originals=len(np.unique(predictions.original)),
    )


def correct_images(predictions: Predictions) -> Tensor:
    """Tell of each image whether top-1 is right: [N], bool."""
    return chosen_labels(predictions) == predictions.labels


def top1_on_classes(
    predictions: Predictions, classes: Collection[int], space: LabelSpace
) -> float | None:
    """Return top-1 on the images of `classes` alone, None where there are none.

    The arg-max is taken over those classes of the set, or over all classes in the full space.
    """
    kept = torch.isin(predictions.labels, torch.tensor(sorted(classes)))
    if not kept.any():
        return None
    among = tuple(index for index in predictions.classes if index in classes)
    judged = in_label_space(attrs.evolve(predictions, classes=among), space)
    return float(correct_images(judged)[kept].double().mean())


def _top5(predictions: Predictions) -> float:
    classes = torch.tensor(predictions.classes)
    logits = predictions.logits[:, classes]  # [N, C]
    first = classes[logits.topk(min(_TOP, len(classes)), dim=1).indices]  # [N, 5]
    right = predictions.stands_for[first] == predictions.labels[:, None]
    return float(right.any(dim=1).double().mean())


def _calibration_error(predictions: Predictions) -> float:
    """Compare how sure a model is of the label that it chooses with how often it is right.

    The label has the probabilities of all classes that stand for it. A probability of 1 belongs to
    the last bin, which torchmetrics would open another one for.
    """
    classes = torch.tensor(predictions.classes)
    chosen = chosen_labels(predictions)  # [N]
    chances = predictions.logits[:, classes].softmax(dim=1)  # [N, C]
    stands_for = predictions.stands_for[classes] == chosen[:, None]  # [N, C]
    sure = (chances * stands_for).sum(dim=1).double().clamp(max=_BELOW_1)
    right = (chosen == predictions.labels).long()
    return float(binary_calibration_error(sure, right, n_bins=_BINS, norm="l1"))


def _class_mean(predictions: Predictions) -> float:
    counts = multiclass_stat_scores(
        chosen_labels(predictions),
        predictions.labels,
        num_classes=predictions.logits.shape[1],
        average="none",
    )
    correct, images = counts[:, 0].double(), counts[:, 4].double()
    has_images = images > 0
    return float((correct[has_images] / images[has_images]).mean())
