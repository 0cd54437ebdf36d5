"""The interfaces of the strategies that take part in a training step."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cfft.plugin.interface import Strategy, attribute

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from cfft.encoder.encoder import Capture, Classifier
    from cfft.records import Batch, Counterfactual, Encoded, MaskSelection, StepOutputs


ORIGINAL = "original"
"""The label of the images as the data set gives them, among the views that a term can follow."""

COUNTERFACTUAL = "counterfactual"
"""The label of the view that the run's own mask, fill and map make."""


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

        `cam` defaults to the map that the view chose. Computed once per step and map.
        """

    def teacher(self, label: str) -> StudentView:
        """A teacher's pass on the original images, in its place: `capture`, `clean`, `scores`.

        Only of a teacher that the map, or the mask, says it `follows`. Computed once per step.
        """


class MaskSelector(Strategy):
    """Choose which patches to hide."""

    @abstractmethod
    def select(self, batch: Batch, view: StudentView) -> MaskSelection:
        """Return the selection; never write into `batch`."""

    @attribute
    def follows(self) -> str | None:
        """The label of the teacher that `select` looks at, by `view.teacher`. Default: None."""
        return None

    def hidden_per_image(self, patches: int) -> int | None:
        """Return how many of `patches` are hidden in every image, None where that is not fixed.

        What is known before training stands in the plan; `select` says the same of its selection.
        Default: None.
        """
        return None

    @attribute
    def constant(self) -> bool:
        """Whether an image is masked alike whenever it comes, as long as its map is the same.

        True where the selection depends on nothing but the image, its label, the view's map and the
        teacher that the mask `follows`: on no draw, no other image, no step, and not on the
        student. Then what a frozen teacher gives may be computed once. Default: False.
        """
        return False


class Refiller(Strategy):
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

    @attribute
    def constant(self) -> bool:
        """Whether an image is refilled alike whenever the same of it is hidden.

        True where the outcome depends on no draw, no other image and no step. Default: False.
        """
        return False

    @attribute
    def drops(self) -> bool:
        """Whether hidden patches are dropped as tokens, which is less work. Default: False."""
        return False


class Cam(Strategy):
    """Score patches by their part in the logit of the true label."""

    @abstractmethod
    def explain(self, batch: Batch, view: StudentView) -> Tensor:
        """Return raw scores [B, gh, gw], not negative; the engine divides by each maximum."""

    @attribute
    def follows(self) -> str | None:
        """The label of the teacher that `explain` looks at, by `view.teacher`. Default: None."""
        return None

    @attribute
    def constant(self) -> bool:
        """Whether an image's map is the same whenever it comes, as long as that teacher is frozen.

        True where the map depends on nothing but the image, its label and the teacher that it
        `follows`. Then it is computed once and kept as float16. Default: False.
        """
        return False


class ModelSource(Protocol):
    """Give teachers fresh models of the run's architecture, on the CPU and in float32."""

    def pretrained(self) -> Classifier:
        """The pre-trained encoder with the head that training starts from."""

    def load(self, path: Path) -> Classifier:
        """The model in a run directory, a checkpoint directory or a weight file of a run.

        Raises WeightsError where the file is of another architecture or other classes.
        """


class Teacher(Strategy):
    """Give the model that the student follows."""

    @abstractmethod
    def load(self, source: ModelSource) -> Classifier:
        """Return the model; cfft freezes it."""

    @attribute
    def follows_average(self) -> bool:
        """Whether the teacher is the average of the student's weights that the run keeps up.

        `load` then gives no more than its first values; a run without an average is refused.
        Default: False, the teacher never changes.
        """
        return False


_METRICS = ("loss", "grad_norm", "lr", "images_per_second", "step", "epoch", "seconds")
_VALIDATION = ("val_top1", "val_class_mean", "val_loss")
RESERVED_LABELS = frozenset(("ce", "total", *_METRICS, *_VALIDATION))
"""Names that metrics have already, so that no auxiliary loss can have them."""

USUAL_NEEDS = frozenset(
    {
        "student.view",
        "student.original",
        "teacher.view",
        "teacher.original",
        "teacher.feature_variance",
    }
)
"""Outputs that a loss looks at unless it says otherwise."""

TEXT_NEEDS = frozenset({"student.text", "teacher.text", "average.text"})
"""Outputs that a model without a text tower cannot give."""

NEEDS = USUAL_NEEDS | TEXT_NEEDS | {"student.weights", "teacher.weights", "class.weights"}
"""Outputs that a term can ask for besides the student's on the original images."""


class Term(Strategy):
    """Measure one term of the objective: what is shared by tasks and auxiliary losses."""

    @abstractmethod
    def measure(self, outputs: StepOutputs) -> Tensor:
        """Return the un-weighted term, a scalar tensor."""

    @attribute
    def teacher(self) -> str | None:
        """The label of the teacher that the term follows: a parameter.

        Default: None, it looks at every teacher of the run.
        """
        return None

    @attribute
    def view(self) -> str:
        """The label of the view that the term follows: a parameter.

        "counterfactual" is what the run's own mask and fill make, "original" the images as they
        are; a configuration file may have further ones. Default: counterfactual.
        """
        return COUNTERFACTUAL

    @attribute
    def further_views(self) -> frozenset[str]:
        """The labels of views that the term looks at besides `view`, in the same way.

        Default: none.
        """
        return frozenset()


class Task(Term):
    """Measure what is learnt from the labels, on the original images unless it says otherwise."""

    @attribute
    def weight(self) -> float:
        """The factor of the term in the objective. Default: 1."""
        return 1.0

    @attribute
    def term(self) -> str:
        """The name of the term in metrics. Default: task."""
        return "task"

    @attribute
    def needs(self) -> frozenset[str]:
        """The outputs that the task looks at besides the student's on the original images.

        The names are those of AuxLoss. Default: none.
        """
        return frozenset()

    @attribute
    def head_from_text(self) -> bool:
        """Whether the head is made of the text tower's class prompts, not trained.

        cfft then makes it anew before every validation. Default: False.
        """
        return False

    @attribute
    def compares_images(self) -> bool:
        """Whether the images of a batch are told from one another.

        No batch may then hold an image twice: sampling that repeats images is refused. Default:
        False.
        """
        return False


class AuxLoss(Term):
    """Measure one auxiliary term of the objective."""

    @attribute
    @abstractmethod
    def weight(self) -> float:
        """The factor of the term in the objective: a parameter, not negative."""

    @attribute
    def needs(self) -> frozenset[str]:
        """The outputs that the loss looks at; nothing else is computed for it.

        Out of `student.view` and `teacher.view`, on the view that the loss follows;
        `student.original` and `teacher.original`; `teacher.feature_variance`; `student.weights` and
        `teacher.weights`, the parameters; `class.weights`, those that make all classes count alike;
        `student.text`, features of prompts by a text tower that is trained, `teacher.text`, by the
        pre-trained one, and `average.text`, by the average of the trained one. A loss that looks at
        the student on another view alone need not name `student.original` to read its values;
        without it no gradient flows there, and the clean pass is freed before the other one is
        made. Default: the first five.
        """
        return USUAL_NEEDS
