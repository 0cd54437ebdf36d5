"""The suite `wilds`: image classification sets of the WILDS benchmark."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import attrs
import numpy as np
from PIL.Image import Image

from cfft import ConfigError, DataError, ImageSet, Suite, SuiteSets, param, suite
from cfft_suites.extras import extra_module, read_class_names
from cfft_suites.parts import Percentages, check_split, complete_parts

from .names import published_names

_REQUIRES = {"wilds": "cfft[wilds]"}
_ID_PARTS = ("train", "id_val", "id_test")


@suite("wilds")
class WildsSuite(Suite):
    """Train and measure on an image classification set of WILDS, with its splits.

    Sets have the names that WILDS gives them: train, id_val and id_test are in distribution, `val`
    and `test` are OOD (in waterbirds and celebA: of other group shares than training). Where a
    dataset lacks id_val or id_test, that part is drawn from its train split, each class for
    itself, from the run's seed. Datasets for other tasks (text, graphs, regression,
    detection) cannot be chosen.
    """

    dataset: Literal[
        "camelyon17", "iwildcam", "fmow", "rxrx1", "domainnet", "waterbirds", "celebA"
    ] = param(help="dataset of WILDS")
    data: Path = param(help="folder that holds the folders of WILDS: camelyon17_v1.0, ...")
    download: bool = param(False, help="download the dataset if it is missing")
    split: Percentages = param(
        (70.0, 10.0, 20.0), help="train/val/test, for ID parts that WILDS lacks"
    )
    classes: Path | None = param(
        None, help="file with one class name per line; none: as WILDS calls them, else numbers"
    )
    requires: ClassVar[Mapping[str, str]] = _REQUIRES
    known_sets: ClassVar[tuple[str, ...]] = (*_ID_PARTS, "val (OOD)", "test (OOD)")
    only_measured: ClassVar[tuple[str, ...]] = ("classes", "download")

    def __attrs_post_init__(self) -> None:
        check_split("wilds", self.split)

    def open(self, seed: int) -> SuiteSets:
        """Return the sets; raises DataError where the dataset is missing or broken."""
        dataset = self._dataset()
        names = self._class_names(dataset)
        splits = {name: _images(dataset, name, names) for name in dataset.split_dict}
        filled = {name: images for name, images in splits.items() if len(images)}
        if "train" not in filled:
            raise DataError(f"WILDS {self.dataset} in {self.data}: its train split has no images")
        given = {name: filled[name] for name in _ID_PARTS[1:] if name in filled}
        parts = complete_parts(filled["train"], names, given, _ID_PARTS, self.split, seed)
        ood = tuple(filled[name] for name in ("test", "val") if name in filled)
        return SuiteSets(names, *parts, ood)

    def _class_names(self, dataset: Any) -> tuple[str, ...]:
        if self.classes is None:
            return published_names(dataset)
        names = read_class_names(self.classes)
        if len(names) != dataset.n_classes:
            raise DataError(
                f"class names {self.classes}: got {len(names)}, {self.dataset} has "
                f"{dataset.n_classes} classes"
            )
        return names

    def _dataset(self) -> Any:
        library = extra_module("wilds", "wilds", _REQUIRES)
        if not self.download and not self.data.is_dir():
            raise DataError(f"--data {self.data}: no such directory; --download true makes it")
        try:
            with warnings.catch_warnings():
                # pandas 3 gives WILDS read-only arrays, and torch warns of them
                warnings.filterwarnings("ignore", "The given NumPy array is not writable")
                return library.get_dataset(
                    dataset=self.dataset, root_dir=str(self.data), download=self.download
                )
        except FileNotFoundError as error:
            hint = "" if self.download else "; --download true gets it"
            raise DataError(
                f"WILDS {self.dataset} is not complete in {self.data}: {error}{hint}"
            ) from error
        except ValueError as error:
            if "read-only" in str(error):  # pandas 3 gives read-only arrays
                raise ConfigError(
                    f"the package wilds reads {self.dataset} with pandas below 3 alone: "
                    "pip install 'pandas<3'"
                ) from error
            raise self._unreadable(error) from error
        except Exception as error:  # the library checks nothing of what lies on disk
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(
            f"WILDS {self.dataset} in {self.data} cannot be read ({type(error).__name__}: "
            f"{error}): its files differ from those that WILDS publishes"
        )


@attrs.frozen(eq=False)
class WildsImages(ImageSet):
    """Hold the images of one split; accuracy is among all classes, as WILDS measures it.

    `indices`: places in the dataset, in order.
    """

    name: str
    dataset: Any
    indices: tuple[int, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]

    @property
    def classes(self) -> Sequence[int]:
        """All classes of the dataset."""
        return range(len(self.class_names))

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, index: int) -> Image:
        """Return image `index` in RGB, as WILDS reads it; raises DataError."""
        try:
            image: Image = self.dataset.get_input(self.indices[index])
            return image.convert("RGB")
        except Exception as error:  # decoders raise whatever damaged bytes lead them to
            name = self.dataset.dataset_name
            raise DataError(f"WILDS {name}, {self.identify(index)}: {error}") from error

    def identify(self, index: int) -> str:
        """Return the image's place in the dataset, counted from 0."""
        return f"picture-{self.indices[index]}"  # stored by runs: it cannot change


def _images(dataset: Any, split: str, class_names: tuple[str, ...]) -> WildsImages:
    indices = np.flatnonzero(dataset.split_array == dataset.split_dict[split]).tolist()
    labels = dataset.y_array[indices].tolist()
    return WildsImages(split, dataset, tuple(indices), tuple(labels), class_names)
