"""ObjectNet: folders that may stand for several ImageNet classes, images in a red frame."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from PIL import Image, ImageOps

from cfft import DataError, ImageFiles, ImageSet, class_folders, read_text_file

from .facts import facts

_FILES = (
    "folder_to_objectnet_label.json",
    "objectnet_to_imagenet_1k.json",
    "pytorch_to_imagenet_2012_id.json",
    "imagenet_to_label_2012_v2",
)
Mapped = Mapping[str, tuple[int, ...]]


@attrs.frozen(eq=False)
class ObjectNetImages(ImageSet):
    """Hold ObjectNet's images of ImageNet classes, without their frame.

    A label is the first ImageNet class of its folder; `counts_as` maps the folder's other classes
    to it. `border`: pixels cut off each side.
    """

    files: ImageFiles
    classes: tuple[int, ...]
    counts_as: Mapping[int, int]
    border: int

    @property
    def name(self) -> str:
        """The name of the set."""
        return self.files.name

    @property
    def faults(self) -> tuple[str, ...]:
        """Faults of the folders; see ImageSet."""
        return self.files.faults

    @property
    def passed_over(self) -> Mapping[str, int]:
        """What was left out of the folders; see ImageSet."""
        return self.files.passed_over

    @property
    def doubts(self) -> tuple[str, ...]:
        """Doubts of the folders; see ImageSet."""
        return self.files.doubts

    @property
    def labels(self) -> Sequence[int]:
        """The first ImageNet class of each image's folder."""
        return self.files.labels

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> Image.Image:
        """Return image `index` without its border; raises DataError where nothing is left."""
        image = self.files.read(index)
        if min(image.size) <= 2 * self.border:
            raise DataError(
                f"{self.files.root / self.identify(index)}: {image.width} x {image.height} pixels "
                f"leave nothing without a border of {self.border} (--suite.imagenet.border)"
            )
        return ImageOps.crop(image, self.border)

    def identify(self, index: int) -> str:
        """Return the path within the set."""
        return self.files.identify(index)


def read_objectnet(images: Path, name: str, border: int) -> ObjectNetImages:
    """Find ObjectNet's images of ImageNet classes; its other folders are left out.

    Which classes a folder stands for is read from the archive's own `mappings` beside `images`,
    or known without them. Raises DataError for mappings that cannot be read.
    """
    mappings = images.parent / "mappings"
    mapped = read_mappings(mappings) if mappings.is_dir() else facts().objectnet
    files = class_folders(images, name, _table(mapped), only=mapped)
    return ObjectNetImages(
        files=files,
        classes=tuple(sorted(index for classes in mapped.values() for index in classes)),
        counts_as={other: first for first, *others in mapped.values() for other in others},
        border=border,
    )


def read_mappings(folder: Path) -> Mapped:
    """Read which ImageNet classes each ObjectNet folder stands for from the archive's files.

    They lead from a folder to ObjectNet's label, from there to ImageNet's descriptions, from those
    to lines of `imagenet_to_label_2012_v2`, counted from 0, and from a line to the class index.
    Raises DataError for files that are missing or do not fit together.
    """
    try:
        texts = [read_text_file(folder / file) for file in _FILES]
        labels, descriptions, lines = map(json.loads, texts[:3])
        index_of_line = {line: int(index) for index, line in lines.items()}
        index_of = {text.strip(): index_of_line[i] for i, text in enumerate(texts[3].splitlines())}
        return {
            directory: tuple(sorted(index_of[text] for text in descriptions[label].split("; ")))
            for directory, label in labels.items()
            if label in descriptions
        }
    except (*(OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError),) as error:
        reason = f"no entry for {error}" if isinstance(error, KeyError) else error
        raise DataError(
            f"{folder}: ObjectNet's mappings cannot be read ({reason}); fix the folder, or remove "
            "it and cfft uses what it knows"
        ) from error


def _table(mapped: Mapped) -> dict[str, str]:
    """Name the 1,000 classes by ObjectNet folder where they are the first of one."""
    first = {classes[0]: folder for folder, classes in mapped.items()}
    return {
        first.get(index, wnid): name for index, (wnid, name) in enumerate(facts().names.items())
    }
