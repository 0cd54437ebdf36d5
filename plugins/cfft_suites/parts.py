"""Parts of a set, drawn by class; what suites with training pictures share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cfft import (
    ConfigError,
    DataError,
    FilePictures,
    PictureSet,
    PictureSubset,
    subfolders,
)

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


def draw_parts(
    pictures: FilePictures, shares: Mapping[str, float], seed: int, remedy: str = ""
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
