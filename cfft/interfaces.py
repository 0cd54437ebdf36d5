"""What each kind of strategy has to offer, as protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor, nn

    from cfft.encoder import Capture, Classifier, Encoder
    from cfft.records import Batch, Counterfactual, Encoded, MaskSelection, StepOutputs


@attrs.frozen
class Kind:
    """Describe a kind of strategy: the hook that collects it and the one method it must have."""

    name: str
    hook: str
    method: str
    purpose: str


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("mask", "cfft_masks", "select", "choose the patches to hide"),
        Kind("fill", "cfft_fills", "refill", "put something in their place"),
        Kind("cam", "cfft_cams", "explain", "score patches by their part in the prediction"),
        Kind("teacher", "cfft_teachers", "load", "give the frozen model that the student follows"),
        Kind("loss", "cfft_losses", "measure", "measure one auxiliary term of the objective"),
        Kind("backbone", "cfft_backbones", "build", "build a pre-trained encoder"),
        Kind("suite", "cfft_suites", "open", "give training, validation, test and OOD pictures"),
    )
}


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
        """The student's outputs on the original pictures, in the graph."""

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
    """Turn pictures and a selection into counterfactual pictures.

    The optional class attribute `smallest_batch` says how many pictures it takes, 1 without it;
    with fewer, `refill` raises a CfftError.
    """

    def refill(
        self, batch: Batch, selection: MaskSelection, rng: torch.Generator
    ) -> Counterfactual:
        """Return new pictures, or tokens to drop; `rng` is a CPU generator of this step."""


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


@attrs.frozen
class Preprocessing:
    """Describe how a picture becomes a tensor: resize the short side, crop the centre.

    `size`: (H, W) of the crop; `resize`: length of the short side before it, both in pixels.
    `mean` and `std` per channel, applied by the encoder, not to Batch.images.
    """

    size: tuple[int, int]
    resize: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@attrs.frozen(eq=False)
class Pretrained:
    """Hold a pre-trained model and everything that must stay together with its weights.

    `encode_text`: list of n prompts -> [n, D] un-normalised, or None without a text tower.
    `templates`: named lists of prompt templates with `{}` for the class name.
    `own_head`: the backbone's own classifier, or None. `normalised`: whether heads act on
    L2-normalised features. `identity`: facts that two weight files must share to be
    exchangeable (architecture, activation, ...), stored with every checkpoint. `rebuild`: a name
    from which the same backbone builds the same encoder and preprocessing without these weights.
    `logit_scale` is the learnt logarithm; heads multiply by its exponential. `trained`: whether
    the values come from training; a run refuses random ones unless it is asked for them.
    `unsaid`: what no tensor shows and neither name, weights nor parameters said, so that a default
    was taken (the activation), by name, with the option that settles it; weights of other programs
    are refused because of it.
    """

    encoder: Encoder
    preprocessing: Preprocessing
    normalised: bool
    identity: Mapping[str, str]
    rebuild: str
    encode_text: Callable[[Sequence[str]], Tensor] | None = None
    logit_scale: float | None = None
    templates: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    own_head: nn.Linear | None = None
    trained: bool = True
    unsaid: Mapping[str, str] = attrs.field(factory=dict)


@runtime_checkable
class Backbone(Protocol):
    """Build pre-trained encoders of one library."""

    def build(self, name: str, weights: str | None) -> Pretrained:
        """Return the model `name` with `weights` (a tag or a path; None: random values).

        Raises ConfigError for an unknown name and WeightsError for weights that do not fit.
        """


@runtime_checkable
class PictureSet(Protocol):
    """Hold labelled pictures that are read one by one.

    `labels`: one class index per picture. `classes`: the indices that may occur, in order;
    accuracy takes the arg-max over them alone.

    The optional attribute `counts_as` maps a class index to the label that it stands for, where
    several classes are right for a picture (ObjectNet's folders); other classes stand for
    themselves. `labels` hold what classes stand for.

    These facts are checked when a suite is opened: a label that no class stands for, or a class
    that the suite does not name, is refused with a DataError.

    The optional attribute `cropped` says that the pictures are square and cut out for models
    already (ImageNet-C): models see all of each, and nothing is cut off again.

    The optional attribute `origins`, one name per picture, says of which picture each is a version,
    where several are versions of one, here or in other sets (CIFAR-10-C): intervals take them for
    one. A ComputedPictureSet says so by itself.

    The optional attribute `faults`, a tuple of one-line sentences, says what is wrong with the set
    as it lies on disk (an empty class folder); each names the set or a path. Nobody trains on such
    a set or is measured on it; `cfft data verify` counts and reads what is there.
    """

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> Sequence[int]: ...

    @property
    def classes(self) -> Sequence[int]: ...

    def __len__(self) -> int: ...

    def read(self, index: int) -> Image:
        """Return picture `index` in RGB; raises DataError with its path and the reason."""

    def identify(self, index: int) -> str:
        """Return a name for picture `index`, stable across runs: its path within the set."""


@runtime_checkable
class MaskedPictureSet(PictureSet, Protocol):
    """Hold pictures whose objects are known pixel by pixel."""

    def mask(self, index: int) -> NDArray[np.uint8 | np.bool_]:
        """Return where the object is in picture `index`, as large as `read` gives it: [H, W].

        1 (or True) is the object, 0 the context; pixels of 255 belong to neither and are left out
        of every count. Raises DataError.
        """


@runtime_checkable
class ComputedPictureSet(PictureSet, Protocol):
    """Hold pictures that are computed from those of another set when they are read.

    They are as good as what they are computed from: `cfft data verify` and the check before a run
    read the other set alone.
    """

    @property
    def made_from(self) -> PictureSet:
        """The other set."""

    def original(self, index: int) -> int:
        """Return the place there of what picture `index` is computed from."""


@attrs.frozen(eq=False)
class SuiteSets:
    """Hold a suite's pictures: `classes` are the class names by index.

    `refused`: OOD sets that could not be opened, by name, with the reason in one line or several.
    `absent`: OOD sets that the suite knows and did not find, by name, with what it looked for.
    """

    classes: tuple[str, ...]
    train: PictureSet
    val: PictureSet
    test: PictureSet
    ood: tuple[PictureSet, ...] = ()
    refused: Mapping[str, str] = attrs.field(factory=dict)
    absent: Mapping[str, str] = attrs.field(factory=dict)

    def for_evaluation(self) -> EvaluationSets:
        """Return the sets that models are measured on."""
        return EvaluationSets(self.classes, self.test, self.ood, self.absent, self.refused)


@attrs.frozen(eq=False)
class EvaluationSets:
    """Hold the pictures that models are measured on; `classes` are the class names by index.

    `test`: the ID set, None where it is absent. `absent`: sets that the suite knows and did not
    find, by name, with what it looked for. `refused`: sets that could not be opened, by name, with
    the reason in one line or several.
    """

    classes: tuple[str, ...]
    test: PictureSet | None
    ood: tuple[PictureSet, ...] = ()
    absent: Mapping[str, str] = attrs.field(factory=dict)
    refused: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def present(self) -> tuple[PictureSet, ...]:
        """All sets that were found, the ID set first."""
        return self.ood if self.test is None else (self.test, *self.ood)


@attrs.frozen
class Expected:
    """Say how many pictures and classes a complete set has.

    `per_class`: pictures of each class, None where classes differ.
    """

    pictures: int
    classes: int
    per_class: int | None = None


@runtime_checkable
class Suite(Protocol):
    """Give the pictures to train on and to be measured on.

    A suite may also have `evaluation(seed: int) -> EvaluationSets`, for pictures that can be
    measured on where those to train on are missing; without it `open` serves both. A suite that
    nobody can train on raises DataError in `open` and says so.

    Both open set by set: one that cannot be opened goes into `refused`, one that is damaged has
    `faults`, and cfft refuses to train and measure with the reasons of all. They raise DataError
    where nothing can be returned.

    For `cfft data` it may have `expected() -> Mapping[str, Expected]`, what complete sets hold by
    the name of the set (of the whole set where it is divided), opening nothing; and two class
    attributes that listings print: `known_sets`, a tuple of the names of its sets, or words for
    names that depend on the data, and `requires`, which maps each module that cfft does not
    bring to what pip is to install.

    It may have `unread() -> Sequence[str]`: names of what lies where its sets are looked for and
    belongs to none of them, which the plan of a run, `cfft eval` and `cfft data verify` mention.

    The optional class attribute `only_measured` names parameters that leave the pictures to train
    on as they are, whatever sets they add to measure on. Where a run had other values of any other
    parameter, and other sets, `cfft eval` says that it may have been trained on what is measured.
    """

    def open(self, seed: int) -> SuiteSets:
        """Return the sets; splits are drawn from `seed`. Raises DataError."""
