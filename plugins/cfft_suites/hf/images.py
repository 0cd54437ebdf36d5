"""Images in datasets of Hugging Face's `datasets`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
from PIL.Image import Image

from cfft import (
    ConfigError,
    DataError,
    ImageSet,
    decode_image,
    read_image,
    shortened_list,
    unknown_name,
)


@attrs.frozen
class Columns:
    """Names of the columns of images and labels; None: the only one of that type.

    `class_names`: what the user calls the classes, in the order of the labels; None: what the
    column calls them.
    """

    image: str | None
    label: str | None
    class_names: tuple[str, ...] | None = None


@attrs.frozen(eq=False)
class HfImages(ImageSet):
    """Hold one split; `rows` give an image's file content or path under `columns.image`.

    `own_names`: what the column calls the classes, by which other datasets are matched.
    """

    name: str
    rows: Any
    columns: Columns
    labels: tuple[int, ...]
    class_names: tuple[str, ...]
    own_names: tuple[str, ...]
    classes: tuple[int, ...] = attrs.field(init=False)

    @classes.default
    def _classes(self) -> tuple[int, ...]:
        return tuple(sorted(set(self.labels)))

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int) -> Image:
        """Return image `index` in RGB; raises DataError naming the row."""
        stored = self.rows[index][self.columns.image] or {}
        content, path = stored.get("bytes"), stored.get("path")
        where = f"set '{self.name}', {self.identify(index)}"
        if content is not None:
            return decode_image(content, where)
        if path is None:
            raise DataError(f"{where}: no image")
        return read_image(Path(path))

    def identify(self, index: int) -> str:
        """Return the row's number, counted from 0."""
        return f"row-{index}"


def hf_images(name: str, split: Any, columns: Columns) -> HfImages:
    """Return a split's images; the classes are those of its label column, in their order.

    Raises ConfigError where a column cannot be told or classes have no names, DataError for a
    split without rows, rows without a label and names that are more or fewer than the classes.
    """
    read = _read(name, split, columns, lenient=False)
    return attrs.evolve(read, class_names=_renamed(name, read.own_names, columns.class_names))


def hf_images_like(first: HfImages, name: str, split: Any) -> HfImages:
    """Return a split's images, labelled as those of `first`; classes are matched by name.

    A column that is called otherwise here is found by its type. Raises as `hf_images` does, and
    DataError for classes that `first` does not have.
    """
    read = _read(name, split, first.columns, lenient=True)
    if read.own_names != first.own_names:
        read = attrs.evolve(read, labels=_relabelled(read, first))
    return attrs.evolve(read, class_names=first.class_names, own_names=first.own_names)


def _read(name: str, split: Any, columns: Columns, lenient: bool) -> HfImages:
    if not len(split):
        raise DataError(f"set '{name}': the split has no rows")
    image = _column(name, split, "Image", columns.image, lenient)
    label = _column(name, split, "ClassLabel", columns.label, lenient)
    values, own = _labels(name, split, label, columns.class_names)
    rows = split.with_format(None).select_columns([image])
    return HfImages(
        name=name,
        rows=rows.cast_column(image, type(split.features[image])(decode=False)),
        columns=attrs.evolve(columns, image=image, label=label),
        labels=tuple(values),
        class_names=own,
        own_names=own,
    )


def _column(name: str, split: Any, wanted: str, asked: str | None, lenient: bool) -> str:
    kinds: dict[str, str] = {c: type(feature).__name__ for c, feature in split.features.items()}
    found = [column for column, kind in kinds.items() if kind == wanted]
    option = "--image-column" if wanted == "Image" else "--label-column"
    possible = found if wanted == "Image" else kinds
    if asked in possible:
        return str(asked)
    if asked is not None and not lenient:
        raise ConfigError(f"set '{name}': {unknown_name('column', asked, possible)} ({option})")
    if len(found) != 1:
        listed = shortened_list(f"{column} ({kind})" for column, kind in kinds.items())
        raise ConfigError(
            f"set '{name}' has {len(found)} columns of type {wanted}: say which one it is "
            f"({option}); columns: {listed}"
        )
    return found[0]


def _labels(
    name: str, split: Any, column: str, class_names: tuple[str, ...] | None
) -> tuple[Sequence[int], tuple[str, ...]]:
    """Return a label per row and what the column calls the labels.

    `class_names` stand in where it has plain numbers.
    """
    feature = split.features[column]
    values = list(split.with_format(None).select_columns([column])[:][column])
    if getattr(feature, "dtype", "") in ("string", "large_string"):
        names = tuple(sorted({value for value in values if value is not None}))
        index: dict[str | None, int] = {text: label for label, text in enumerate(names)}
        values = [index.get(value, -1) for value in values]
    else:
        names = tuple(getattr(feature, "names", None) or class_names or ())
    _require_labels(name, column, values, names)
    return values, names


def _require_labels(name: str, column: str, values: Sequence[Any], names: Sequence[str]) -> None:
    if not names:
        raise ConfigError(
            f"set '{name}': labels in column '{column}' have no names: give a file with one "
            "per line (--classes)"
        )
    wrong = [
        value for value in values if not isinstance(value, int) or value not in range(len(names))
    ]
    if wrong:
        raise DataError(
            f"set '{name}': {len(wrong)} of {len(values)} rows have no label of 0 to "
            f"{len(names) - 1} in column '{column}', the first one {wrong[0]!r}"
        )


def _renamed(name: str, own: tuple[str, ...], wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    if wanted is None:
        return own
    if len(wanted) != len(own):
        raise DataError(
            f"set '{name}': --classes has {len(wanted)} names, but the label column has "
            f"{len(own)} classes: {shortened_list(own)}"
        )
    return wanted


def _relabelled(read: HfImages, first: HfImages) -> tuple[int, ...]:
    """Number the classes as `first` does, by what its column calls them, else by its names."""
    place = _numbered(first.class_names) | _numbered(first.own_names)
    own = read.own_names
    strange = sorted({own[label] for label in read.labels} - place.keys())
    if strange:
        listing = f"{len(strange)} such classes; classes of training"
        raise DataError(
            f"set '{read.name}': {unknown_name('class', strange[0], first.own_names, listing)}"
        )
    return tuple(place[own[label]] for label in read.labels)


def _numbered(names: Sequence[str]) -> dict[str, int]:
    return {name: label for label, name in enumerate(names)}
