"""Parts of a set, drawn by class; shared by all suites with training images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import attrs

from cfft import ConfigError, DataError, ImageSet, ImageSubset, SuiteSets, list_subfolders

T = TypeVar("T")
Percentages = tuple[float, float, float]
PARTS = ("train", "val", "test")
"""The in-distribution sets of suites whose user names the OOD sets."""
Readers = Mapping[str, Callable[[], T]]


def folders_in(data: Path, holds: str) -> list[str]:
    """List the folders of `data`; raises DataError where it is no directory that `holds` them."""
    if not data.is_dir():
        found = "is a file" if data.is_file() else "no such directory"
        raise DataError(f"--data {data}: {found}; give the directory that holds {holds}")
    return list_subfolders(data)


def check_split(suite: str, split: Percentages) -> None:
    """Raise ConfigError unless `split` are percentages or shares with some for training."""
    whole = min((1, 100), key=lambda whole: abs(sum(split) - whole))
    if not abs(sum(split) - whole) < 1e-6 or min(split) < 0 or split[0] == 0:
        raise ConfigError(
            f"suite.{suite}.split: got {'/'.join(f'{share:g}' for share in split)}; give train/val/"
            "test as percentages (sum 100) or shares (sum 1), none negative, train more than 0"
        )


def open_each(readers: Readers[T]) -> tuple[dict[str, T], dict[str, str]]:
    """Call every reader; return the sets by name, and why others could not be opened."""
    found: dict[str, T] = {}
    refused: dict[str, str] = {}
    for name, reader in readers.items():
        try:
            found[name] = reader()
        except DataError as error:
            refused[name] = str(error)
    return found, refused


def open_parts(
    needed: Readers[T], others: Readers[T]
) -> tuple[dict[str, T], tuple[T, ...], dict[str, str]]:
    """Open sets: those that the suite cannot do without, and others.

    Returns those that are needed, the others that could be opened, and why the rest could not.
    Raises one DataError with the reasons of all where one is lacking that is needed.
    """
    parts, broken = open_each(needed)
    more, refused = open_each(others)
    if broken:
        raise DataError(*broken.values(), *refused.values())
    return parts, tuple(more.values()), refused


def draw_parts(
    images: ImageSet,
    class_names: Sequence[str],
    shares: Mapping[str, float],
    seed: int,
    remedy: str = "",
) -> dict[str, ImageSubset]:
    """Split `images` into parts named and sized by `shares`, each class for itself.

    Where classes are too small the parts have that, with `remedy` at its end, among their faults.
    Raises ConfigError for a part that would get nothing.
    """
    for name in (name for name, share in shares.items() if not share):
        raise ConfigError(f"--split gives {name} nothing: give each part that is drawn a share")
    from cfft import stratified_split  # torch comes with it, and listings do without

    sizes = list(shares.values())
    try:
        drawn = stratified_split(images.labels, sizes, seed, class_names)
    except DataError as error:
        return _undivided(images, tuple(shares), f"{error}{remedy}")
    return {
        name: ImageSubset(whole=images, indices=tuple(indices), name=name)
        for name, indices in zip(shares, drawn, strict=True)
    }


def hold_out(images: ImageSet, count: int, seed: int) -> tuple[ImageSubset, ImageSubset]:
    """Split off exactly `count` images for validation, with the class shares of the whole.

    Returns (train, val), drawn from `seed`. Where a class would be left without training images
    they have that among their faults. Raises ConfigError where `count` is less than the classes.
    """
    from cfft import stratified_subset  # as above

    held = set(stratified_subset(images.labels, count, seed))
    kept = tuple(index for index in range(len(images)) if index not in held)
    train = ImageSubset(whole=images, indices=kept, name=images.name)
    if set(train.labels) != set(images.labels):
        reason = (
            f"holding {count} of {len(images)} images out for validation leaves classes "
            "without training images: hold fewer out (--val)"
        )
        parts = _undivided(images, (images.name, "val"), reason)
        return parts[images.name], parts["val"]
    return train, ImageSubset(whole=images, indices=tuple(sorted(held)), name="val")


def _undivided(images: ImageSet, names: Sequence[str], reason: str) -> dict[str, ImageSubset]:
    """Give all images to the first part; what is wrong with the set already is told alone."""
    first, *others = names
    sizes = {first: len(images), **dict.fromkeys(others, 0)}
    parts = {
        name: ImageSubset(whole=images, indices=tuple(range(size)), name=name)
        for name, size in sizes.items()
    }
    return {name: attrs.evolve(p, faults=p.faults or (reason,)) for name, p in parts.items()}


def complete_parts(
    train: ImageSet,
    class_names: Sequence[str],
    given: Mapping[str, ImageSet],
    names: tuple[str, str, str],
    split: Percentages,
    seed: int,
    remedy: str = "",
) -> tuple[ImageSet, ImageSet, ImageSet]:
    """Return the training, validation and test set called `names`.

    Those that `given` lacks are drawn from `train`, in the proportions of `split`; raises as
    `draw_parts` does.
    """
    shares = dict(zip(names, split, strict=True))
    missing = {name: share for name, share in shares.items() if name not in given}
    parts = {**given, **draw_parts(train, class_names, missing, seed, remedy)}
    return parts[names[0]], parts[names[1]], parts[names[2]]


def complete_sets(
    whole: ImageSet,
    class_names: Sequence[str],
    given: Readers[ImageSet],
    shifts: Readers[ImageSet],
    split: Percentages,
    seed: int,
    remedy: str = "",
) -> SuiteSets:
    """Open the parts that are `given` and the OOD sets, and put them around the training images.

    `whole`: the images that parts which are not given are drawn from; raises as `complete_parts`
    and `open_parts` do.
    """
    parts, ood, refused = open_parts(given, shifts)
    train, val, test = complete_parts(whole, class_names, parts, PARTS, split, seed, remedy)
    return SuiteSets(tuple(class_names), train, val, test, ood, refused)
