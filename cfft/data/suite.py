"""Image sets and suites: the protocols that they implement, and the records that they return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


@runtime_checkable
class ImageSet(Protocol):
    """Hold labelled images that are read one by one.

    `labels`: one class index per image. `classes`: the indices that may occur, in order;
    accuracy takes the arg-max over them alone.

    The optional attribute `counts_as` maps a class index to the label that it stands for, where
    several classes are right for a image (ObjectNet's folders); other classes stand for
    themselves. `labels` hold what classes stand for.

    These facts are checked when a suite is opened: a label that no class stands for, or a class
    that the suite does not name, is refused with a DataError.

    The optional attribute `cropped` says that the images are square and cut out for models
    already (ImageNet-C): models see all of each, and nothing is cut off again.

    The optional attribute `origins`, one name per image, says of which image each is a version,
    where several are versions of one, here or in other sets (CIFAR-10-C): intervals take them for
    one. A ComputedImageSet says so by itself.

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
        """Return image `index` in RGB; raises DataError with its path and the reason."""

    def identify(self, index: int) -> str:
        """Return a name for image `index`, stable across runs: its path within the set."""


@runtime_checkable
class MaskedImageSet(ImageSet, Protocol):
    """Hold images whose objects are known pixel by pixel."""

    def mask(self, index: int) -> NDArray[np.uint8 | np.bool_]:
        """Return where the object is in image `index`, as large as `read` gives it: [H, W].

        1 (or True) is the object, 0 the context; pixels of 255 belong to neither and are left out
        of every count. Raises DataError.
        """


@runtime_checkable
class ComputedImageSet(ImageSet, Protocol):
    """Hold images that are computed from those of another set when they are read.

    They are as good as what they are computed from: `cfft data verify` and the check before a run
    read the other set alone.
    """

    @property
    def made_from(self) -> ImageSet:
        """The other set."""

    def original(self, index: int) -> int:
        """Return the place there of what image `index` is computed from."""


@attrs.frozen(eq=False)
class SuiteSets:
    """Hold a suite's images: `classes` are the class names by index.

    `refused`: OOD sets that could not be opened, by name, with the reason in one line or several.
    `absent`: OOD sets that the suite knows and did not find, by name, with what it looked for.
    """

    classes: tuple[str, ...]
    train: ImageSet
    val: ImageSet
    test: ImageSet
    ood: tuple[ImageSet, ...] = ()
    refused: Mapping[str, str] = attrs.field(factory=dict)
    absent: Mapping[str, str] = attrs.field(factory=dict)

    def for_evaluation(self) -> EvaluationSets:
        """Return the sets that models are measured on."""
        return EvaluationSets(self.classes, self.test, self.ood, self.absent, self.refused)


@attrs.frozen(eq=False)
class EvaluationSets:
    """Hold the images that models are measured on; `classes` are the class names by index.

    `test`: the ID set, None where it is absent. `absent`: sets that the suite knows and did not
    find, by name, with what it looked for. `refused`: sets that could not be opened, by name, with
    the reason in one line or several.
    """

    classes: tuple[str, ...]
    test: ImageSet | None
    ood: tuple[ImageSet, ...] = ()
    absent: Mapping[str, str] = attrs.field(factory=dict)
    refused: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def present(self) -> tuple[ImageSet, ...]:
        """All sets that were found, the ID set first."""
        return self.ood if self.test is None else (self.test, *self.ood)


@attrs.frozen
class Expected:
    """Say how many images and classes a complete set has.

    `per_class`: images of each class, None where classes differ.
    """

    images: int
    classes: int
    per_class: int | None = None


@runtime_checkable
class Suite(Protocol):
    """Give the images to train on and to be measured on.

    A suite may also have `evaluation(seed: int) -> EvaluationSets`, for images that can be
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

    The optional class attribute `only_measured` names parameters that leave the images to train
    on as they are, whatever sets they add to measure on. Where a run had other values of any other
    parameter, and other sets, `cfft eval` says that it may have been trained on what is measured.
    """

    def open(self, seed: int) -> SuiteSets:
        """Return the sets; splits are drawn from `seed`. Raises DataError."""
