"""Frozen records of one training step; shapes, dtypes and devices are checked, values never."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import attrs
import torch
from torch import Tensor

T = TypeVar("T")
_ORIGINAL = "original"  # as step.interfaces has it, which does without torch


def _alone(rows: Tensor) -> Tensor:
    return rows


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


def _seen(tensor: Tensor) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}"


def _check_grid(record: object, field: str, grid: Tensor | None) -> None:
    if grid is None:
        return
    _check(
        grid.dtype == torch.bool and grid.ndim == 3,
        f"{type(record).__name__}.{field} must be bool [B, gh, gw], got {_seen(grid)}",
    )


@attrs.frozen(eq=False)
class Batch:
    """Hold images and labels as the data set gives them.

    `images`: [B, 3, H, W], floating point in 0..1, before the model's normalisation.
    `labels`: [B], int64, 0 <= label < K. `progress`: share of the optimiser steps of training that
    are done, 0 at the first one and less than 1 at the last, None outside a run. `ids`: the images'
    places in the training set, B of them and on the host, by which what is constant over training
    is found; None outside a run. `host_labels`: the labels as numbers, where they are known without
    asking the device, else None.
    """

    images: Tensor
    labels: Tensor
    progress: float | None = None
    ids: Sequence[int] | None = None
    host_labels: tuple[int, ...] | None = None

    def __attrs_post_init__(self) -> None:
        _check(
            self.images.ndim == 4 and self.images.shape[1] == 3 and self.images.is_floating_point(),
            f"Batch.images must be float [B, 3, H, W], got {_seen(self.images)}",
        )
        _check(
            self.labels.dtype == torch.int64 and self.labels.shape == self.images.shape[:1],
            f"Batch.labels must be int64 [{self.images.shape[0]}], got {_seen(self.labels)}",
        )
        _check(
            self.labels.device == self.images.device,
            f"Batch.images is on {self.images.device}, Batch.labels on {self.labels.device}",
        )


@attrs.frozen(eq=False)
class MaskSelection:
    """Mark the patches to hide.

    `hidden`: [B, gh, gw], bool, True = to be hidden. `scores`: [B, gh, gw] in 0..1, the map that
    the choice was made from, or None. `hidden_per_image`: how many patches are hidden in every
    image where that number is the same and known without looking at `hidden`, else None. It lets
    the engine drop tokens without asking the device; 0 means that the image stays as it is.
    """

    hidden: Tensor
    scores: Tensor | None = None
    hidden_per_image: int | None = None

    def __attrs_post_init__(self) -> None:
        _check_grid(self, "hidden", self.hidden)
        if self.scores is not None:
            _check(
                self.scores.shape == self.hidden.shape,
                f"MaskSelection.scores {list(self.scores.shape)} must have the shape of hidden "
                f"{list(self.hidden.shape)}",
            )


@attrs.frozen(eq=False)
class Counterfactual:
    """Hold images that were masked and refilled.

    `images`: [B, 3, H, W] as in Batch. `dropped`: [B, gh, gw], bool, tokens that no encoder may
    see, or None. `dropped_per_image`: their number per image where it is known on the host.
    """

    images: Tensor
    dropped: Tensor | None = None
    dropped_per_image: int | None = None

    def __attrs_post_init__(self) -> None:
        _check_grid(self, "dropped", self.dropped)


@attrs.frozen(eq=False)
class Encoded:
    """Hold a model's outputs for a batch: `features` [B, D], un-normalised, and `logits` [B, K]."""

    features: Tensor
    logits: Tensor


@attrs.frozen(eq=False)
class ViewOutputs:
    """Hold one view of a batch: what is hidden, the images made of it, and the student's outputs.

    `student` is None where no term of the objective asked for it.
    """

    selection: MaskSelection
    counterfactual: Counterfactual
    student: Encoded | None = None


@attrs.frozen(eq=False)
class TeacherOutputs:
    """Hold a teacher's outputs; a view that no term of the objective asked for is missing.

    `views`: by label. `feature_variance`: [], mean over features of their variance on the training
    set, or None. `weights`: its parameters by name, or None. No gradient flows into a teacher.
    """

    original: Encoded | None = None
    views: Mapping[str, Encoded] = attrs.field(factory=dict)
    feature_variance: Tensor | None = None
    weights: Mapping[str, Tensor] | None = None


class TextFeatures(Protocol):
    """Turn prompts into the features of one text tower."""

    @property
    def logit_scale(self) -> Tensor:
        """The tower's factor of cosine similarities: [], exp of the learnt logarithm."""

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """Return features [n, D] of n prompts, un-normalised."""

    def of_classes(self) -> Tensor:
        """Return features [K, M, D] of the K classes in each of the M templates."""


class StepText(TextFeatures, Protocol):
    """Give a step the features of prompts: by the student's text tower, in the graph, and others.

    `classes`: class names by index. `templates`: prompts with `{}` for the class name. `words`:
    words that the tower reads as one token each, for random texts; single letters where the tower
    does not name any.
    """

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def templates(self) -> tuple[str, ...]: ...

    @property
    def words(self) -> tuple[str, ...]: ...

    @property
    def pretrained(self) -> TextFeatures:
        """The pre-trained text tower, without gradients; what is asked for again is kept."""

    @property
    def averaged(self) -> TextFeatures:
        """The average of the student's text tower over steps, without gradients.

        Raises ValueError in a run that keeps up no such average.
        """

    def prompt(self, template: str, label: int) -> str:
        """Fill a template with the name of a class."""

    def captions(self, labels: Tensor) -> list[str]:
        """Return one prompt for each of the labels [B], in templates drawn at random.

        All terms of a step get the same ones. The labels are read on the host.
        """

    @property
    def rng(self) -> torch.Generator:
        """CPU generator for drawing prompts, seeded again at every step."""


@attrs.frozen(eq=False)
class StepOutputs:
    """Hold everything that a term of the objective may look at.

    `views`: by label. `weights`: the student's parameters by name, or None. `text`: None where no
    term needs a text tower. `class_weights`: [K], N / (K n) for a class with n of the N
    training images, 0 for one with none, or None. `join`: see `joined`. Gradients flow through what
    is the student's only.
    """

    batch: Batch
    student_original: Encoded
    views: Mapping[str, ViewOutputs] = attrs.field(factory=dict)
    teachers: Mapping[str, TeacherOutputs] = attrs.field(factory=dict)
    weights: Mapping[str, Tensor] | None = None
    text: StepText | None = None
    class_weights: Tensor | None = None
    join: Callable[[Tensor], Tensor] = attrs.field(default=_alone, repr=False)

    def joined(self, rows: Tensor) -> Tensor:
        """Join `rows` [B, ...] of all processes that share a step: [B * processes, ...].

        For terms that compare the images of a batch with each other: each process then computes the
        term over the whole batch. Gradients reach the rows of this process, such that their mean
        over processes is the gradient of the term. All processes have to call it equally often.
        With one process `rows` are returned as they are.
        """
        return self.join(rows)

    def student(self, view: str) -> Encoded:
        """Return the student's outputs on a view, by its label; "original" names the images.

        Raises ValueError where none were computed.
        """
        if view == _ORIGINAL:
            return self.student_original
        return _computed(self.views[view].student if view in self.views else None, "student.view")

    def teacher(self, label: str, view: str) -> Encoded:
        """Return a teacher's outputs on a view; raises ValueError where none were computed."""
        teacher = self.teachers[label]
        if view == _ORIGINAL:
            return _computed(teacher.original, "teacher.original")
        return _computed(teacher.views.get(view), "teacher.view")

    def feature_variance(self, label: str) -> Tensor:
        """Return a teacher's feature variance []; raises ValueError where it was not measured."""
        return _computed(self.teachers[label].feature_variance, "teacher.feature_variance")

    def student_weights(self) -> Mapping[str, Tensor]:
        """Return the student's parameters by name, in the graph; raises ValueError without."""
        return _computed(self.weights, "student.weights")

    def teacher_weights(self, label: str) -> Mapping[str, Tensor]:
        """Return a teacher's parameters by name; raises ValueError where nothing asked for them."""
        return _computed(self.teachers[label].weights, "teacher.weights")

    def balanced_weights(self) -> Tensor:
        """Return weights that make all classes count alike: [K]; raises ValueError without.

        Their mean over the training images is 1.
        """
        return _computed(self.class_weights, "class.weights")

    def prompts(self) -> StepText:
        """Return the features of prompts; raises ValueError where no term needs a text tower."""
        return _computed(self.text, "student.text, teacher.text or average.text")


def _computed(outputs: T | None, what: str) -> T:
    if outputs is None:
        raise ValueError(f"{what} was not computed: the loss or task has to name it in `needs`")
    return outputs


@attrs.frozen(eq=False)
class LossTerm:
    """Hold one term of the objective: `value` is a scalar tensor before it is weighted."""

    name: str
    value: Tensor
    weight: float


@attrs.frozen(eq=False)
class StepResult:
    """Hold the objective of one step: `total` [] = sum of weight * value over `terms`."""

    total: Tensor
    terms: tuple[LossTerm, ...]


@attrs.frozen
class Preprocessing:
    """Describe how an image becomes a tensor: resize the short side, crop the centre.

    `size`: (H, W) of the crop; `resize`: length of the short side before it, both in pixels.
    `mean` and `std` per channel, applied by the encoder, not to Batch.images.
    """

    size: tuple[int, int]
    resize: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
