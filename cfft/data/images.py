"""Labelled image files, read one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from io import BytesIO
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from cfft.data.compact import Numbers, Texts
from cfft.data.decoding import check_size, opened, reason, upright
from cfft.data.folders import (
    EXTENSIONS,
    FoundImages,
    composed,
    find_images,
    list_subfolders,
    no_classes,
    passed_over_beside,
    training_class_names,
    twice_spelt,
)
from cfft.data.passed_over import LOOSE, dangling, lost_images, spelled
from cfft.data.suite import ImageSet
from cfft.errors import ConfigError, DataError, counted
from cfft.runtime.stand_ins import HEAD_BYTES, stand_in

_INTEGERS_OF_16_BITS = ("PNG", "PPM")  # which Pillow may hold in 32


@attrs.frozen(eq=False)
class ImageFiles(ImageSet):
    """Hold labelled image files; nothing is opened before `read`.

    `paths`: POSIX paths relative to `root`, kept in few bytes each. `labels`: one class index per
    path. `classes`: the indices that may occur, in order. `class_names`: the names of all classes
    by index. `faults`, `passed_over` and `doubts`: see ImageSet.
    """

    name: str
    root: Path
    paths: Sequence[str] = attrs.field(converter=Texts)
    labels: tuple[int, ...]
    classes: tuple[int, ...]
    class_names: tuple[str, ...]
    faults: tuple[str, ...] = ()
    passed_over: Mapping[str, int] = attrs.field(factory=dict)
    doubts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> Image.Image:
        return read_image(self.root / self.paths[index])

    def identify(self, index: int) -> str:
        return self.paths[index]


@attrs.frozen(eq=False)
class ImageSubset(ImageSet):
    """Hold the images of another set at `indices`, in that order, with all that it says of them.

    `faults`: those of the whole set unless others are given; see ImageSet.
    """

    whole: ImageSet
    indices: Sequence[int] = attrs.field(converter=Numbers)
    name: str
    faults: tuple[str, ...] = attrs.field()
    labels: tuple[int, ...] = attrs.field(init=False)

    @faults.default
    def _faults(self) -> tuple[str, ...]:
        return tuple(ImageSet.of(self.whole).faults)

    @labels.default
    def _labels(self) -> tuple[int, ...]:
        return tuple(map(self.whole.labels.__getitem__, self.indices))

    @property
    def classes(self) -> Sequence[int]:
        return self.whole.classes

    @property
    def counts_as(self) -> Mapping[int, int]:
        return ImageSet.of(self.whole).counts_as

    @property
    def cropped(self) -> bool:
        return ImageSet.of(self.whole).cropped

    @property
    def passed_over(self) -> Mapping[str, int]:
        return ImageSet.of(self.whole).passed_over

    @property
    def doubts(self) -> Sequence[str]:
        return ImageSet.of(self.whole).doubts

    @property
    def origins(self) -> tuple[str, ...]:
        whole = origins_of(self.whole)
        return tuple(whole[index] for index in self.indices) if whole else ()

    @property
    def mask(self) -> Callable[[int], NDArray[np.uint8 | np.bool_]] | None:
        whole = ImageSet.of(self.whole).mask
        return None if whole is None else lambda index: whole(self.indices[index])

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, index: int) -> Image.Image:
        return self.whole.read(self.indices[index])

    def identify(self, index: int) -> str:
        return self.whole.identify(self.indices[index])


def whole_of(images: ImageSet) -> ImageSet:
    """Return the set that a part is drawn from, itself where it is no part."""
    return whole_of(images.whole) if isinstance(images, ImageSubset) else images


def passed_over_in(sets: Iterable[ImageSet]) -> dict[str, Mapping[str, int]]:
    """Return what was passed over in the whole of each set, by its name; see ImageSet."""
    wholes = {id(whole): whole for whole in map(whole_of, sets)}
    found = ((whole.name, ImageSet.of(whole).passed_over) for whole in wholes.values())
    return {name: passed for name, passed in found if passed}


def origins_of(images: ImageSet) -> tuple[str, ...]:
    """Return the name of the image that each one is a version of; see ImageSet.

    Those of a set that is computed from another begin with its name. Empty where each image
    stands for itself.
    """
    whole = ImageSet.of(images)
    if whole.made_from is None:
        return tuple(whole.origins)
    source = whole.made_from
    own = (f"{source.name}/{source.identify(index)}" for index in range(len(source)))
    named = origins_of(source) or tuple(own)
    return tuple(named[whole.original(index)] for index in range(len(images)))


def class_folders(
    root: Path,
    name: str,
    classes: Mapping[str, str] | Sequence[str] | None = None,
    only: Collection[str] | None = None,
) -> ImageFiles:
    """Find the images in `root/<class>/**`, without opening them.

    `classes`: the training classes in index order, as folder names or as folder names mapped to
    class names (see `class_table`); the set may hold a subset of them. None: this is the training
    set, its folders are the classes. `only`: the folders to read, where others lie there on
    purpose.

    A class folder without images, a link in place of one that leads nowhere, a folder that is no
    training class, which is left out, and a directory without class folders are `faults` of the
    set. What was left out stands in `passed_over`, and in `doubts` where it seems to be images.
    Raises DataError for a missing directory; with `classes` None also for less than two classes.
    """
    if classes is None:
        classes = training_class_names(root)
    table = classes if isinstance(classes, Mapping) else {folder: folder for folder in classes}
    spelt = {composed(folder): folder for folder in table}
    found, faults = _files_by_folder(root, name, table, only)
    files = {folder: images.paths for folder, images in found.items()}
    beside = passed_over_beside(root)
    places = {folder: label for label, folder in enumerate(table)}
    index = {folder: places[spelt[composed(folder)]] for folder in files}
    return ImageFiles(
        name=name,
        root=root,
        paths=tuple(f"{folder}/{file}" for folder in files for file in files[folder]),
        labels=tuple(index[folder] for folder in files for _ in files[folder]),
        classes=tuple(sorted(index[folder] for folder in files)),
        class_names=tuple(table.values()),
        faults=tuple(faults),
        passed_over=_summed([beside, *(images.passed_over for images in found.values())]),
        doubts=tuple(_doubts(root, name, found, beside)),
    )


def read_image(path: Path) -> Image.Image:
    """Return an image in RGB, turned upright by its EXIF orientation.

    Transparent pixels become white. 16-bit grey is scaled to 8 bit; of an animation the first
    frame is taken. Raises DataError with path and reason, also for an image of more than 179
    million pixels or with one side over 1,000 times the other; the environment variables
    CFFT_MAX_MEGAPIXELS and CFFT_MAX_SIDE_RATIO set other bounds.
    """
    return _read(path, str(path))


def decode_image(content: bytes, name: str) -> Image.Image:
    """Return the image in a file's `content` as `read_image` does; errors call it `name`."""
    return _read(BytesIO(content), name)


def as_rgb(image: Image.Image) -> Image.Image:
    """Return an opened image as `read_image` does; raises ValueError for one that it refuses."""
    kind = {"F": "float", "I": "integer"}.get(image.mode)
    if kind == "float" or (kind == "integer" and image.format not in _INTEGERS_OF_16_BITS):
        raise ValueError(f"32-bit {kind} images have no fixed range; save it with 8 or 16 bits")
    check_size(*image.size)
    image = upright(image)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def image_fault(path: Path) -> str | None:
    """Return why an image cannot be read, or None; cheaper than reading it.

    JPEG is decoded at an eighth of its size, which finds the same damage in half the time.
    """
    try:
        _decode(path, reduced=True)
    except ConfigError:
        raise
    except Exception as error:  # as in _read
        return _reason(error, path)
    return None


def _read(file: Path | BytesIO, name: str) -> Image.Image:
    try:
        return _decode(file)
    except ConfigError:
        raise
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        raise DataError(f"{name}: {_reason(error, file)}") from error


def _files_by_folder(
    root: Path, name: str, table: Mapping[str, str], only: Collection[str] | None
) -> tuple[dict[str, FoundImages], list[str]]:
    there = list_subfolders(root)
    if not there:
        return {}, [f"set '{name}': {no_classes(root)}"]
    folders = there if only is None else [folder for folder in there if folder in only]
    if not folders:
        return {}, [f"set '{name}': none of the folders in {root} is one of its classes"]
    lost = [folder for folder in folders if not (root / folder).exists()]
    if twins := twice_spelt(folders):
        return {}, [f"set '{name}': {root}: {twins}"]
    classes = set(map(composed, table))
    known = [folder for folder in folders if composed(folder) in classes]
    found = {f: FoundImages((), {}) if f in lost else find_images(root / f) for f in known}
    surplus = [
        _surplus(root, name, folder, table)
        for folder in folders
        if composed(folder) not in classes and folder not in lost
    ]
    empty = [
        _empty(root / folder, name, images)
        for folder, images in found.items()
        if not images.paths and folder not in lost
    ]
    gone = [f"set '{name}': {dangling(root / folder)}" for folder in lost]
    return found, [*surplus, *gone, *empty]


def _empty(folder: Path, name: str, found: FoundImages) -> str:
    beside = f"; passed over: {spelled(found.passed_over)}" if found.passed_over else ""
    return (
        f"set '{name}': no images in class folder {folder}; looked for {' '.join(EXTENSIONS)}"
        f"{beside}"
    )


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _doubts(
    root: Path, name: str, found: Mapping[str, FoundImages], beside: Mapping[str, int]
) -> Iterator[str]:
    if found and beside.get(LOOSE):
        loose = counted(beside[LOOSE], "image lies", "images lie")
        yield f"set '{name}': {loose} directly in {root}, outside class folders, and left out"
    sizes = {folder: len(images.paths) for folder, images in found.items()}
    yield from lost_images(name, sizes, {f: images.passed_over for f, images in found.items()})


def _surplus(root: Path, name: str, folder: str, table: Mapping[str, str]) -> str:
    close = get_close_matches(folder, table, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return (
        f"set '{name}' has class '{folder}' that training lacks: {hint}"
        f"rename or remove {root / folder}"
    )


def _decode(file: Path | BytesIO, reduced: bool = False) -> Image.Image:
    with opened(file) as image:
        if reduced:
            image.draft(None, (1, 1))
        return as_rgb(image)


def _reason(error: Exception, file: Path | BytesIO) -> str:
    if isinstance(error, UnidentifiedImageError):
        head = file.getvalue() if isinstance(file, BytesIO) else _head(file)
        known = "no image in a format that Pillow knows" if head else "the file is empty"
        return stand_in(head) or known
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return reason(error) or str(error) or type(error).__name__


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
