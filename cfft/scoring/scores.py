"""Scores of predictions for a set beyond top-1: class mean, top-5, calibration."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Literal

import attrs
import numpy as np
import torch
from torch import Tensor

from cfft.scoring.evaluate import score
from cfft.scoring.predictions import Predictions, chosen_labels, correct_images
from cfft.scoring.results import ClassResult, Role, SetResult

LabelSpace = Literal["subset", "full"]
_TOP = 5
_BINS = 15
_BELOW_1 = math.nextafter(1, 0)


def in_label_space(predictions: Predictions, space: LabelSpace) -> Predictions:
    """Return predictions that are scored among the classes of the set, or among all."""
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


def validation_scores(predictions: Predictions) -> dict[str, float]:
    """Return "top1", "class-mean" and "loss": the mean cross-entropy, in nats.

    All are among the set's own classes; a label has the probability of all classes that stand for
    it.
    """
    top1 = float(correct_images(predictions).double().mean())
    loss = float(-_log_chances(predictions).mean())
    return {"top1": top1, "class-mean": _class_mean(predictions), "loss": loss}


def _log_chances(predictions: Predictions) -> Tensor:
    """Return the logarithm of the probability of each image's label: [N], float64."""
    classes = torch.tensor(predictions.classes)
    logs = predictions.logits[:, classes].double().log_softmax(dim=1)  # [N, C]
    right = predictions.stands_for[classes] == predictions.labels[:, None]  # [N, C]
    return logs.masked_fill(~right, -math.inf).logsumexp(dim=1)


def class_results(predictions: Predictions, names: Sequence[str]) -> tuple[ClassResult, ...]:
    """Return the top-1 of each class that has images; `names`: of all classes by index."""
    images = predictions.labels.bincount(minlength=len(names)).tolist()
    right = predictions.labels.bincount(
        correct_images(predictions).double(), minlength=len(names)
    ).tolist()
    rows = zip(names, images, right, strict=True)
    return tuple(ClassResult(name, n, hits / n) for name, n, hits in rows if n)


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

    The label has the probabilities of all classes that stand for it. Bins hold their lower end, so
    a probability of 1 is moved into the last one.
    """
    classes = torch.tensor(predictions.classes)
    chosen = chosen_labels(predictions)  # [N]
    chances = predictions.logits[:, classes].softmax(dim=1)  # [N, C]
    stands_for = predictions.stands_for[classes] == chosen[:, None]  # [N, C]
    sure = (chances * stands_for).sum(dim=1).double().clamp(max=_BELOW_1)
    right = (chosen == predictions.labels).double()
    ends = torch.linspace(0, 1, _BINS + 1, dtype=torch.double)
    bins = torch.bucketize(sure, ends, right=True) - 1  # [N]
    images, certain, correct = (
        bins.bincount(each, minlength=len(ends)) for each in (torch.ones_like(sure), sure, right)
    )
    gaps = (correct / images - certain / images).abs().nan_to_num()  # [bins], 0 without images
    return float((gaps * (images / len(bins))).sum())


def _class_mean(predictions: Predictions) -> float:
    images = predictions.labels.bincount()
    correct = predictions.labels.bincount(correct_images(predictions).double())
    return float((correct / images)[images > 0].mean())
