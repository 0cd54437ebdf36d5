"""Parts of a set, drawn by class; what suites with training pictures share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import attrs

from cfft import ConfigError, DataError, PictureSet, PictureSubset, SuiteSets, subfolders

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
    return subfolders(data)


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
    """Open sets without which there is no suite, and others.

    Returns those that are needed, the others that could be opened, and why the rest could not.
    Raises one DataError with the reasons of all where one is lacking that is needed.
    """
    parts, broken = open_each(needed)
    more, refused = open_each(others)
    if broken:
        raise DataError("\n".join([*broken.values(), *refused.values()]))
    return parts, tuple(more.values()), refused


class NamedPictures(PictureSet, Protocol):
    """Hold pictures, and the names of all classes by index."""

    @property
    def class_names(self) -> Sequence[str]: ...


def draw_parts(
    pictures: NamedPictures, shares: Mapping[str, float], seed: int, remedy: str = ""
) -> dict[str, PictureSubset]:
    """Split `pictures` into parts named and sized by `shares`, each class for itself.

    Where classes are too small the parts have that, with `remedy` at its end, among their faults.
    Raises ConfigError for a part that would get nothing.
    """
    for name in (name for name, share in shares.items() if not share):
        raise ConfigError(f"--split gives {name} nothing: give each part that is drawn a share")
    from cfft import stratified_split  # torch comes with it, and listings do without

    sizes = list(shares.values())
    try:
        drawn = stratified_split(pictures.labels, sizes, seed, pictures.class_names)
    except DataError as error:
        return _undivided(pictures, tuple(shares), f"{error}{remedy}")
    return {
        name: PictureSubset(whole=pictures, indices=tuple(indices), name=name)
        for name, indices in zip(shares, drawn, strict=True)
    }


def hold_out(pictures: PictureSet, count: int, seed: int) -> tuple[PictureSubset, PictureSubset]:
    """Split off exactly `count` pictures for validation, with the class shares of the whole.

    Returns (train, val), drawn from `seed`. Where a class would be left without training pictures
    they have that among their faults. Raises ConfigError where `count` is less than the classes.
    """
    from cfft import stratified_subset  # as above

    held = set(stratified_subset(pictures.labels, count, seed))
    kept = tuple(index for index in range(len(pictures)) if index not in held)
    train = PictureSubset(whole=pictures, indices=kept, name=pictures.name)
    if set(train.labels) != set(pictures.labels):
        reason = (
            f"holding {count} of {len(pictures)} pictures out for validation leaves classes "
            "without training pictures: hold fewer out (--val)"
        )
        parts = _undivided(pictures, (pictures.name, "val"), reason)
        return parts[pictures.name], parts["val"]
    return train, PictureSubset(whole=pictures, indices=tuple(sorted(held)), name="val")


def _undivided(pictures: PictureSet, names: Sequence[str], reason: str) -> dict[str, PictureSubset]:
    """Give all pictures to the first part; what is wrong with the set already is told alone."""
    first, *others = names
    sizes = {first: len(pictures), **dict.fromkeys(others, 0)}
    parts = {
        name: PictureSubset(whole=pictures, indices=tuple(range(size)), name=name)
        for name, size in sizes.items()
    }
    return {name: attrs.evolve(p, faults=p.faults or (reason,)) for name, p in parts.items()}


def complete_parts(
    train: NamedPictures,
    given: Mapping[str, PictureSet],
    names: tuple[str, str, str],
    split: Percentages,
    seed: int,
    remedy: str = "",
) -> tuple[PictureSet, PictureSet, PictureSet]:
    """Return the training, validation and test set called `names`.

    Those that `given` lacks are drawn from `train`, in the proportions of `split`; raises as
    `draw_parts` does.
    """
    shares = dict(zip(names, split, strict=True))
    missing = {name: share for name, share in shares.items() if name not in given}
    parts = {**given, **draw_parts(train, missing, seed, remedy)}
    return parts[names[0]], parts[names[1]], parts[names[2]]


def complete_sets(
    whole: NamedPictures,
    given: Readers[PictureSet],
    shifts: Readers[PictureSet],
    split: Percentages,
    seed: int,
    remedy: str = "",
) -> SuiteSets:
    """Open the parts that are `given` and the OOD sets, and put them around the training pictures.

    `whole`: the pictures that parts which are not given are drawn from; raises as `complete_parts`
    and `open_parts` do.
    """
    parts, ood, refused = open_parts(given, shifts)
    train, val, test = complete_parts(whole, parts, PARTS, split, seed, remedy)
    return SuiteSets(tuple(whole.class_names), train, val, test, ood, refused)
