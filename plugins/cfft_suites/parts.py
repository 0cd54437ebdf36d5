"""Parts of a set, drawn by class; what suites with training pictures share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from cfft import ConfigError, DataError, PictureSet, PictureSubset, subfolders

T = TypeVar("T")
Split = tuple[float, float, float]


def folders_in(data: Path, holds: str) -> list[str]:
    """List the folders of `data`; raises DataError where it is no directory that `holds` them."""
    if not data.is_dir():
        found = "is a file" if data.is_file() else "no such directory"
        raise DataError(f"--data {data}: {found}; give the directory that holds {holds}")
    return subfolders(data)


def check_split(suite: str, split: Split) -> None:
    """Raise ConfigError unless `split` are percentages or shares with some for training."""
    whole = min((1, 100), key=lambda whole: abs(sum(split) - whole))
    if not abs(sum(split) - whole) < 1e-6 or min(split) < 0 or split[0] == 0:
        raise ConfigError(
            f"suite.{suite}.split: got {'/'.join(f'{share:g}' for share in split)}; give train/val/"
            "test as percentages (sum 100) or shares (sum 1), none negative, train more than 0"
        )


def gather(readers: Iterable[Callable[[], T]]) -> list[T]:
    """Call every reader; raises one DataError with the problems of all that fail."""
    read: list[T] = []
    problems: list[str] = []
    for reader in readers:
        try:
            read.append(reader())
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))
    return read


class NamedPictures(PictureSet, Protocol):
    """Hold pictures, and the names of all classes by index."""

    @property
    def class_names(self) -> Sequence[str]: ...


def draw_parts(
    pictures: NamedPictures, shares: Mapping[str, float], seed: int, remedy: str = ""
) -> dict[str, PictureSubset]:
    """Split `pictures` into parts named and sized by `shares`, each class for itself.

    Raises ConfigError for a part that would get nothing and DataError, with `remedy` at its end,
    for classes that are too small.
    """
    for name in (name for name, share in shares.items() if not share):
        raise ConfigError(f"--split gives {name} nothing: give each part that is drawn a share")
    from cfft import stratified_split  # torch comes with it, and listings do without

    sizes = list(shares.values())
    try:
        drawn = stratified_split(pictures.labels, sizes, seed, pictures.class_names)
    except DataError as error:
        raise DataError(f"{error}{remedy}") from error
    return {
        name: PictureSubset(whole=pictures, indices=tuple(indices), name=name)
        for name, indices in zip(shares, drawn, strict=True)
    }


def hold_out(pictures: PictureSet, count: int, seed: int) -> tuple[PictureSubset, PictureSubset]:
    """Split off exactly `count` pictures for validation, with the class shares of the whole.

    Returns (train, val), drawn from `seed`. Raises ConfigError where `count` is not more than the
    classes, DataError where a class would be left without training pictures.
    """
    from cfft import stratified_subset  # as above

    held = set(stratified_subset(pictures.labels, count, seed))
    kept = tuple(index for index in range(len(pictures)) if index not in held)
    train = PictureSubset(whole=pictures, indices=kept, name=pictures.name)
    if set(train.labels) != set(pictures.labels):
        raise DataError(
            f"holding {count} of {len(pictures)} pictures out for validation leaves classes "
            "without training pictures: hold fewer out (--val)"
        )
    return train, PictureSubset(whole=pictures, indices=tuple(sorted(held)), name="val")


def complete_parts(
    train: NamedPictures,
    given: Mapping[str, PictureSet],
    names: tuple[str, str, str],
    split: Split,
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
