"""Image sets and suites: the base classes that they may inherit from, and what they return."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import attrs

from cfft.plugin.interface import Interface, attribute

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


class ImageSet(Interface):
    """Hold labelled images that are read one by one.

    Labels and classes are checked when a suite is opened: a label that no class stands for, or a
    class that the suite does not name, is refused with a DataError.
    """

    @attribute
    @abstractmethod
    def name(self) -> str:
        """The name of the set, which results are kept by."""

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
        """The label that a class index stands for, where several are right (ObjectNet's folders).

        `labels` hold what classes stand for. Default: each class stands for itself, as does every
        class that the mapping lacks.
        """
        return {}

    @attribute
    def cropped(self) -> bool:
        """Whether the images are square and cut out for models already, as in ImageNet-C.

        If so, models see all of each image. Default: False, images are resized and cropped.
        """
        return False

    @attribute
    def origins(self) -> Sequence[str]:
        """One name per image: the image that it is a version of, as in CIFAR-10-C.

        Confidence intervals take versions of one image, in this set or others, for one. Default:
        empty, each image stands for itself. A set with `made_from` needs no `origins`.
        """
        return ()

    @attribute
    def faults(self) -> Sequence[str]:
        """Sentences of one line that say what is wrong on disk, such as an empty class folder.

        Each names the set or a path. cfft does not train or measure on such a set; `cfft data
        verify` counts and reads what is there. Default: empty, the set is sound.
        """
        return ()

    @attribute
    def mask(self) -> Callable[[int], NDArray[np.uint8 | np.bool_]] | None:
        """A method `mask(index)` that says where the object is in an image, for `cfft eval masks`.

        It returns an array [H, W], as large as the image that `read` returns: 1 (or True) is the
        object, 0 the context; pixels of 255 belong to neither and are left out of every count. It
        may raise DataError. Default: None, objects are not known.
        """
        return None

    @attribute
    def made_from(self) -> ImageSet | None:
        """The set that these images are computed from when they are read, as corruptions are.

        Images are checked there alone. Default: None, the images are stored.
        """
        return None

    def original(self, index: int) -> int:
        """Return the index within `made_from` of what image `index` is computed from.

        Default: the same index.
        """
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


class Suite(Interface):
    """Give the images to train on and to be measured on.

    `open` and `evaluation` go set by set: one that cannot be opened goes into `refused`, one that
    is damaged has `faults`, and cfft refuses to train and measure with the reasons of all. They
    raise DataError where nothing can be returned; a suite that nobody can train on does so in
    `open`.
    """

    known_sets: ClassVar[tuple[str, ...]] = ()
    """The names of its sets, or words for names that depend on the data, for `cfft data list`.

    Default: none is listed.
    """

    requires: ClassVar[Mapping[str, str]] = {}
    """The modules that cfft does not bring, each with what pip is to install for it.

    `cfft data list` prints them. Default: none.
    """

    only_measured: ClassVar[tuple[str, ...]] = ()
    """Parameters that leave the images to train on as they are, whatever sets they add to measure.

    Where a run had other values of any other parameter, and other sets, `cfft eval` says that it
    may have been trained on what is measured. Default: none.
    """

    @abstractmethod
    def open(self, seed: int) -> SuiteSets:
        """Return the sets; splits are drawn from `seed`. Raises DataError."""

    def evaluation(self, seed: int) -> EvaluationSets | None:
        """Return the sets to measure on, where those to train on may be missing; raises DataError.

        Default: None, `open` serves both.
        """
        return None

    def expected(self) -> Mapping[str, Expected]:
        """Return what complete sets hold by the name of the set, for `cfft data verify`.

        A set that is divided is named and counted as a whole. Opens nothing. Default: empty, counts
        are not compared.
        """
        return {}

    def unread(self) -> Sequence[str]:
        """Return names of what lies where its sets are looked for and belongs to none of them.

        The plan of a run, `cfft eval` and `cfft data verify` mention them. Default: empty.
        """
        return ()
