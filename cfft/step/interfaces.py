"""The protocols of the strategies that take part in a training step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

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
        """CPU generator of this strategy, seeded anew at every step."""

    @property
    def capture(self) -> Capture:
        """What the clean forward pass kept for maps."""

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


@runtime_checkable
class Refiller(Protocol):
    """Turn images and a selection into counterfactual images.

    The optional class attribute `smallest_batch` says how many images it takes, 1 without it;
    with fewer, `refill` raises a CfftError.
    """

    def refill(
        self, batch: Batch, selection: MaskSelection, rng: torch.Generator
    ) -> Counterfactual:
        """Return new images, or tokens to drop; `rng` is a CPU generator of this step."""


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


@runtime_checkable
class AuxLoss(Protocol):
    """Measure one auxiliary term of the objective.

    A loss has a parameter `weight` and, where it follows a teacher, a parameter `teacher` with
    that teacher's label. The optional class attribute `needs` names what it looks at, out of
    `student.counterfactual`, `teacher.original`, `teacher.counterfactual` and
    `teacher.feature_variance`; without it everything is computed.
    """

    weight: float

    def measure(self, outputs: StepOutputs) -> Tensor:
        """Return the un-weighted term, a scalar tensor."""
