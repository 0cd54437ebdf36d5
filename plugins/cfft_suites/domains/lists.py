"""Lists of training and test images, in the format of DomainNet and PACS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import attrs

from cfft import DataError, ImageFiles, list_subfolders, read_text_file, shortened_list

Use = Literal["train", "test", "shift"]
_FILES: Mapping[Use, tuple[str, str]] = {
    "train": ("{}_train.txt", "{}_train_kfold.txt"),
    "test": ("{}_test.txt", "{}_crossval_kfold.txt"),
    "shift": ("{}_test.txt", "{}_test_kfold.txt"),
}
"""Files of a domain in DomainNet and in PACS, whose test lists hold all images of a domain."""


@attrs.frozen(eq=False)
class ImageList:
    """Hold what a list says: the number of each image's class, by <domain>/<class>/<file>."""

    path: Path
    numbers: Mapping[str, int]

    def by_class(self) -> dict[str, int]:
        """Return the number of each class; raises DataError unless they are one to one."""
        found: dict[str, int] = {}
        for image, number in self.numbers.items():
            name = _class_of(image)
            if found.setdefault(name, number) != number:
                raise DataError(
                    f"{self.path}: class '{name}' has the numbers {found[name]} and {number}"
                )
        names: dict[int, str] = {}
        for name, number in found.items():
            if names.setdefault(number, name) != name:
                raise DataError(
                    f"{self.path}: number {number} means '{names[number]}' and '{name}'"
                )
        return found


@attrs.frozen(eq=False)
class DomainLists:
    """Hold the lists of the in-distribution domain, and find those of the others in `places`."""

    places: tuple[Path, ...]
    train: ImageList
    test: ImageList

    def of_shift(self, domain: str) -> ImageList:
        """Return the list to test on where a domain is OOD; raises DataError."""
        found = _find(self.places, domain, "shift")
        _require_agreement(self.train, found)
        return found


def read_lists(domain: str, places: Sequence[Path]) -> DomainLists:
    """Read the lists that divide the in-distribution domain, from the first place that has them.

    Raises DataError where they are missing, share an image or number the classes otherwise.
    """
    train, test = _find(places, domain, "train"), _find(places, domain, "test")
    _require_agreement(train, test)
    shared = sorted(train.numbers.keys() & test.numbers.keys())
    if shared:
        raise DataError(
            f"{test.path} shares {len(shared)} of its images with {train.path.name}, such as "
            f"{shared[0]}: test images must not be trained on"
        )
    return DomainLists(tuple(places), train, test)


def _find(places: Sequence[Path], domain: str, use: Use) -> ImageList:
    names = [name.format(domain) for name in _FILES[use]]
    paths = [place / name for place in places for name in names]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise DataError(f"--lists needs {' or '.join(names)} in {' or '.join(map(str, places))}")
    return read_list(path)


def holds_lists(folder: Path) -> bool:
    """Tell whether a folder beside the domains holds lists, not class folders."""
    return folder.is_dir() and not list_subfolders(folder) and any(folder.glob("*_train*.txt"))


def read_list(path: Path) -> ImageList:
    """Read lines of `<domain>/<class>/<file> <number>`; raises DataError for all others."""
    try:
        lines = read_text_file(path).splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error
    numbers: dict[str, int] = {}
    for place, line in enumerate(lines, 1):
        image, _, number = line.strip().rpartition(" ")
        if not line.strip():
            continue
        if image.count("/") < 2 or not number.isdecimal():
            raise DataError(f"{path}, line {place}: '{line}' is not DOMAIN/CLASS/FILE NUMBER")
        if image in numbers:
            raise DataError(f"{path}, line {place}: {image} is listed twice")
        numbers[image] = int(number)
    if not numbers:
        raise DataError(f"{path} lists no images")
    return ImageList(path, numbers)


def listed(images: ImageFiles, wanted: ImageList) -> ImageFiles:
    """Return the images of a domain that are `wanted`, in the order of the domain.

    Listed images that are not there are a fault of the set.
    """
    names = [f"{images.name}/{image}" for image in images.paths]
    kept = [index for index, name in enumerate(names) if name in wanted.numbers]
    missing = sorted(wanted.numbers.keys() - names)
    return attrs.evolve(
        images,
        paths=tuple(images.paths[index] for index in kept),
        labels=tuple(images.labels[index] for index in kept),
        classes=tuple(sorted({images.labels[index] for index in kept})),
        faults=(*images.faults, *_missing(wanted, missing)),
    )


def _missing(wanted: ImageList, missing: Sequence[str]) -> Iterator[str]:
    if missing:
        yield (
            f"{wanted.path} lists {len(wanted.numbers)} images, {len(missing)} of them not there: "
            f"{shortened_list(missing)}"
        )


def _require_agreement(first: ImageList, other: ImageList) -> None:
    known, found = first.by_class(), other.by_class()
    for name in (name for name in found if name in known and found[name] != known[name]):
        raise DataError(
            f"{other.path}: class '{name}' has number {found[name]}, in {first.path.name} "
            f"{known[name]}: the lists do not belong together"
        )


def _class_of(image: str) -> str:
    return image.split("/")[1]
