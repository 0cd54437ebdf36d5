"""The interfaces of the strategies that take part in a training step."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from cfft.plugin.interface import Interface, attribute

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from cfft.encoder.encoder import Capture, Classifier
    from cfft.records import Batch, Counterfactual, Encoded, MaskSelection, StepOutputs


class StudentView(Protocol):
    """Offer a mask or a map what it may know of the student at this step."""

    @property
    def grid(self) -> tuple[int, int]:
        """Patches per column and per row: (gh, gw)."""

    @property
    def rng(self) -> torch.Generator:
        """CPU generator of this strategy, seeded again at every step."""

    @property
    def capture(self) -> Capture:
        """Tensors that the clean forward pass kept for maps."""

    @property
    def clean(self) -> Encoded:
        """The student's outputs on the original images, in the graph."""

    def scores(self, cam: Cam | None = None) -> Tensor:
        """Class activation map of the true labels: [B, gh, gw] in 0..1, detached.

        `cam` defaults to the map that the run chose. Computed once per step and map.
        """


@runtime_checkable
class MaskSelector(Protocol):
    """Choose which patches to hide."""

    def select(self, batch: Batch, view: StudentView) -> MaskSelection:
        """Return the selection; never write into `batch`."""


class Refiller(Interface):
    """Turn images and a selection into counterfactual images."""

    @abstractmethod
    def refill(
        self, batch: Batch, selection: MaskSelection, rng: torch.Generator
    ) -> Counterfactual:
        """Return new images, or tokens to drop; `rng` is a CPU generator of this step."""

    @attribute
    def smallest_batch(self) -> int:
        """The number of images that `refill` needs at least; with fewer it raises a CfftError.

        A run whose batches could be smaller stops before training. Default: 1.
        """
        return 1


@runtime_checkable
class Cam(Protocol):
    """Score patches by their part in the logit of the true label."""

    def explain(self, batch: Batch, view: StudentView) -> Tensor:
        """Return raw scores [B, gh, gw], not negative; the engine divides by each maximum."""


class ModelSource(Protocol):
    """Give teachers fresh models of the run's architecture, on the CPU and in float32."""

    def pretrained(self) -> Classifier:
        """The pre-trained encoder with the head that training starts from."""

    def load(self, path: Path) -> Classifier:
        """The model in a run directory, a checkpoint directory or a weight file of a run.

        Raises WeightsError where the file is of another architecture or other classes.
        """


@runtime_checkable
class Teacher(Protocol):
    """Give the frozen model that the student follows."""

    def load(self, source: ModelSource) -> Classifier:
        """Return the model; cfft freezes it."""


_METRICS = ("loss", "grad_norm", "lr", "images_per_second", "step", "epoch", "val_top1", "seconds")
RESERVED_LABELS = frozenset(("ce", "total", *_METRICS))
"""Names that metrics have already, so that no auxiliary loss can have them."""


NEEDS = frozenset(
    {
        "student.counterfactual",
        "teacher.original",
        "teacher.counterfactual",
        "teacher.feature_variance",
    }
)
"""Outputs that a loss can ask for besides the student's on the original images."""


class AuxLoss(Interface):
    """Measure one auxiliary term of the objective."""

    @attribute
    @abstractmethod
    def weight(self) -> float:
        """The factor of the term in the objective: a parameter, not negative."""

    @abstractmethod
    def measure(self, outputs: StepOutputs) -> Tensor:
        """Return the un-weighted term, a scalar tensor."""

    @attribute
    def teacher(self) -> str | None:
        """The label of the teacher that the loss follows: a parameter.

        Default: None, it looks at every teacher of the run.
        """
        return None

    @attribute
    def needs(self) -> frozenset[str]:
        """The outputs that the loss looks at; nothing else is computed for it.

        Out of `student.counterfactual`, `teacher.original`, `teacher.counterfactual` and
        `teacher.feature_variance`; the student's outputs on the original images are always
        available. Default: all of them.
        """
        return NEEDS
