"""Image sets and suites: the base classes that they may inherit from, and what they return."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import attrs
from cattrs.gen import override

from cfft.plugin.interface import Interface, Strategy, attribute

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


class ImageSet(Interface):
    """Hold labelled images that are read one by one.

    Labels and classes are checked when a suite is opened: DataError for a label without a class
    and for a class that the suite does not name.
    """

    @attribute
    @abstractmethod
    def name(self) -> str:
        """The name of the set, also in results."""

    @attribute
    @abstractmethod
    def labels(self) -> Sequence[int]:
        """One class index per image."""

    @attribute
    @abstractmethod
    def classes(self) -> Sequence[int]:
        """The class indices that may occur, in order; accuracy takes the arg-max over them."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of images."""

    @abstractmethod
    def read(self, index: int) -> Image:
        """Return image `index` in RGB; raises DataError with its path and the reason."""

    @abstractmethod
    def identify(self, index: int) -> str:
        """Return a name for image `index`, stable across runs: its path within the set."""

    @attribute
    def counts_as(self) -> Mapping[int, int]:
        """The label of a class index where several are right, as for ObjectNet's folders.

        With `{5: 3}` a prediction of class 5 is right for images that `labels` give the label 3,
        as is a prediction of class 3. Default: empty; a class that the mapping lacks counts as
        itself.
        """
        return {}

    @attribute
    def cropped(self) -> bool:
        """True for images that are square and already cropped for models, as in ImageNet-C.

        Models then see all of each image. Default: False, images are resized and cropped.
        """
        return False

    @attribute
    def origins(self) -> Sequence[str]:
        """The name of the image that each one is a version of, as in CIFAR-10-C.

        Confidence intervals treat versions of one image, in this set or others, as a single image.
        Default: empty, each image is its own origin. A set with `made_from` needs no `origins`.
        """
        return ()

    @attribute
    def faults(self) -> Sequence[str]:
        """Problems on disk in one line each, such as an empty class folder.

        Each names the set or a path. cfft does not train or measure on such a set; `cfft data
        verify` still counts and reads its images. Default: empty.
        """
        return ()

    @attribute
    def passed_over(self) -> Mapping[str, int]:
        """Number of files and folders among the images that were left out, by reason.

        A reason is a few words or a suffix: `{".heic": 9, "hidden": 2}`. The plan of a run,
        `cfft eval` and `cfft data verify` print them. Default: empty.
        """
        return {}

    @attribute
    def doubts(self) -> Sequence[str]:
        """Things that may be wrong, in one line each, such as images of which most are left out.

        Each names the set or a path. The plan of a run, `cfft eval` and `cfft data verify`
        warn of them. Default: empty.
        """
        return ()

    @attribute
    def mask(self) -> Callable[[int], NDArray[np.uint8 | np.bool_]] | None:
        """A method `mask(index)` that locates the object in an image, for `cfft eval masks`.

        It returns an array [H, W] of the size of the image that `read` returns: 1 (or True) is the
        object, 0 the context, 255 neither (not counted). It may raise DataError. Default: None,
        objects are not known.
        """
        return None

    @attribute
    def made_from(self) -> ImageSet | None:
        """The set that these images are computed from when they are read, as corruptions are.

        Only the images of that set are checked. Default: None, the images are stored.
        """
        return None

    def original(self, index: int) -> int:
        """Return the index in `made_from` of the source of image `index`; default: the same."""
        return index


class MaskedImageSet(ImageSet):
    """Hold images whose objects are known pixel by pixel."""

    @abstractmethod
    def mask(self, index: int) -> NDArray[np.uint8 | np.bool_]:
        """Return where the object is in image `index`: [H, W]; see ImageSet."""


class ComputedImageSet(ImageSet):
    """Hold images that are computed from those of another set when they are read."""

    @attribute
    @abstractmethod
    def made_from(self) -> ImageSet:
        """The other set."""

    @abstractmethod
    def original(self, index: int) -> int:
        """Return the index there of what image `index` is computed from."""


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

    `test`: the ID set, None where it is absent. `absent` and `refused` as in SuiteSets.
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
    """Hold the size of a complete set; `per_class`: images per class, None where they differ."""

    images: Annotated[int, override(rename="pictures")]  # in JSON
    classes: int
    per_class: int | None = None


class Suite(Strategy):
    """Give the images to train on and to be measured on.

    `open` and `evaluation` go set by set: one that cannot be opened goes into `refused`, one that
    is damaged has `faults`, and cfft then stops with the reasons of all. They raise DataError where
    nothing can be returned, as `open` does where there is nothing to train on.
    """

    known_sets: ClassVar[tuple[str, ...]] = ()
    """Names of the sets, or a description where they depend on the data, for `cfft data list`.

    Default: none.
    """

    requires: ClassVar[Mapping[str, str]] = {}
    """Optional modules that the suite needs, each with the requirement to give to pip.

    `cfft data list` prints them. Default: none.
    """

    only_measured: ClassVar[tuple[str, ...]] = ()
    """Parameters that affect only what is measured, not the training images.

    Where another parameter differs from that of a run, `cfft eval` warns that the run may have been
    trained on the measured images. Default: none.
    """

    shared_names: ClassVar[tuple[str, ...]] = ()
    """Class names that several classes have on purpose, as ImageNet's `missile`.

    cfft warns of other classes that a text tower cannot tell apart. Default: none.
    """

    @abstractmethod
    def open(self, seed: int) -> SuiteSets:
        """Return the sets; splits are drawn from `seed`. Raises DataError."""

    def evaluation(self, seed: int) -> EvaluationSets | None:
        """Return the sets to measure on, even without training images; raises DataError.

        Default: None, the sets of `open` are measured.
        """
        return None

    def expected(self) -> Mapping[str, Expected]:
        """Return the sizes of complete sets by name, for `cfft data verify`.

        A set that is divided is named and counted as a whole. Opens nothing. Default: empty, counts
        are not compared.
        """
        return {}

    def unread(self) -> Sequence[str]:
        """Return the names of folders and files beside the sets that belong to none of them.

        The plan of a run, `cfft eval` and `cfft data verify` mention them. Default: empty.
        """
        return ()
