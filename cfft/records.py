"""Frozen records of one training step; shapes, dtypes and devices are checked, values never."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

import attrs
import torch
from torch import Tensor

T = TypeVar("T")
View = Literal["original", "counterfactual"]


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
    `labels`: [B], int64, 0 <= label < K.
    """

    images: Tensor
    labels: Tensor

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
class TeacherOutputs:
    """Hold a frozen teacher's outputs by view; a view that no loss asked for is None.

    `feature_variance`: [], mean over features of their variance on the training set, or None.
    No gradient flows into a teacher.
    """

    original: Encoded | None = None
    counterfactual: Encoded | None = None
    feature_variance: Tensor | None = None


@attrs.frozen(eq=False)
class StepOutputs:
    """Hold everything that a loss may look at.

    `student_counterfactual` is None where no loss asked for it. Gradients flow through the
    student's outputs only.
    """

    batch: Batch
    selection: MaskSelection | None
    counterfactual: Counterfactual | None
    student_original: Encoded
    student_counterfactual: Encoded | None
    teachers: Mapping[str, TeacherOutputs]

    def student(self, view: View) -> Encoded:
        """Return the student's outputs on a view; raises ValueError where none were computed."""
        own = {"original": self.student_original, "counterfactual": self.student_counterfactual}
        return _computed(own[view], f"student.{view}")

    def teacher(self, label: str, view: View) -> Encoded:
        """Return a teacher's outputs on a view; raises ValueError where none were computed."""
        teacher = self.teachers[label]
        own = {"original": teacher.original, "counterfactual": teacher.counterfactual}
        return _computed(own[view], f"teacher.{view}")

    def feature_variance(self, label: str) -> Tensor:
        """Return a teacher's feature variance []; raises ValueError where it was not measured."""
        return _computed(self.teachers[label].feature_variance, "teacher.feature_variance")


def _computed(outputs: T | None, what: str) -> T:
    if outputs is None:
        raise ValueError(f"{what} was not computed: the loss has to name it in `needs`")
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
