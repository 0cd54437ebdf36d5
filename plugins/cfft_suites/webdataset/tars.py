"""Images in WebDataset tars, read from where they lie in the file."""

from __future__ import annotations

import re
import tarfile
from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from itertools import accumulate, groupby
from pathlib import Path

import attrs
from PIL.Image import Image

from cfft import DataError, ImageSet, decode_image, shortened_list

from .shards import Shard, members

_LONGEST_LABEL = 64  # bytes
SplitName = Callable[[str], tuple[str | None, str | None]]
_NO_SAMPLES = re.compile(r"__[^/]*__([./]|$)|(.*/)?(\._[^/]*|\.DS_Store)$|__MACOSX/")
"""Files in tars that are no samples: the library's own, and those that macOS adds."""


def _lower(extension: str) -> str:
    return extension.lower()


def _lower_each(extensions: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(_lower, extensions))


@attrs.frozen
class Keys:
    """Select the files of a sample.

    `images`: extensions of images, the first that a sample has is taken. `label`: extension of
    the class index. Case does not count. `split_name`: divides a file's name into the sample's
    name and the extension.
    """

    images: tuple[str, ...] = attrs.field(converter=_lower_each)
    label: str = attrs.field(converter=_lower)
    split_name: SplitName


@attrs.frozen(eq=False)
class TarIndex:
    """Hold what the headers of a tar say of its samples, one value each.

    An image is `sizes` bytes from `offsets` on in the tar, which is not compressed.
    """

    names: tuple[str, ...]
    offsets: array[int]
    sizes: array[int]
    labels: array[int]


@attrs.frozen(eq=False)
class TarImages(ImageSet):
    """Hold the images of tars; each is read by its place, in any order.

    `indices`: one for each of `shards`.
    """

    name: str
    shards: tuple[Shard, ...]
    indices: tuple[TarIndex, ...]
    class_names: tuple[str, ...]
    labels: tuple[int, ...] = attrs.field(init=False)
    classes: tuple[int, ...] = attrs.field(init=False)
    _ends: tuple[int, ...] = attrs.field(init=False)

    @labels.default
    def _labels(self) -> tuple[int, ...]:
        return tuple(label for index in self.indices for label in index.labels)

    @classes.default
    def _classes(self) -> tuple[int, ...]:
        return tuple(sorted(set(self.labels)))

    @_ends.default
    def _counted(self) -> tuple[int, ...]:
        return tuple(accumulate(len(index.names) for index in self.indices))

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int) -> Image:
        """Return image `index` in RGB; raises DataError naming tar and sample."""
        shard, found, place = self._place(index)
        try:
            with shard.path.open("rb") as tar:
                tar.seek(found.offsets[place])
                content = tar.read(found.sizes[place])
        except OSError as error:
            raise DataError(f"{shard.path}: {error.strerror}") from error
        return decode_image(content, f"{shard.path}: {found.names[place]}")

    def identify(self, index: int) -> str:
        """Return the tar's name and the sample's."""
        shard, found, place = self._place(index)
        return f"{shard.name}/{found.names[place]}"

    def _place(self, index: int) -> tuple[Shard, TarIndex, int]:
        number = bisect_right(self._ends, index)
        found = self.indices[number]
        return self.shards[number], found, index - self._ends[number] + len(found.names)


def tar_images(
    name: str, shards: Sequence[Shard], class_names: tuple[str, ...], keys: Keys
) -> TarImages:
    """Find the images in tars by their headers.

    Raises DataError for a tar that is cut short, compressed or none, for a file that it holds
    twice, for a sample without an image or a label, and for a label without a class name.
    """
    indices = tuple(_indexed(shard, keys) for shard in shards)
    for shard, index in zip(shards, indices, strict=True):
        for sample, label in zip(index.names, index.labels, strict=True):
            if not 0 <= label < len(class_names):
                raise DataError(
                    f"{shard.path}: sample '{sample}' has label {label}; there are "
                    f"{len(class_names)} class names, so 0 to {len(class_names) - 1} are allowed"
                )
    return TarImages(name, tuple(shards), indices, class_names)


def _indexed(shard: Shard, keys: Keys) -> TarIndex:
    try:
        status = shard.path.stat()
        return _read_index(shard.path, status.st_size, status.st_mtime_ns, keys)
    except tarfile.TarError as error:
        remedy = (
            f"delete it, and {shard.name} is downloaded again"
            if shard.remote
            else "give whole tars that are not compressed, whose images can be read in any order"
        )
        raise DataError(
            f"{shard.path} is cut short, compressed or no tar ({error}): {remedy}"
        ) from error
    except OSError as error:
        raise DataError(f"{shard.path}: {error.strerror}") from error


@cache
def _read_index(path: Path, size: int, changed: int, keys: Keys) -> TarIndex:
    """Read the headers of a tar of `size` bytes, once in a process unless it has `changed`."""
    names: list[str] = []
    numbers = array("q"), array("q"), array("q")
    with tarfile.open(path, "r:") as tar:
        for name, files in groupby(_files(path, tar, size, keys), lambda file: file[0]):
            names.append(name)
            sample = _sample(path, name, {key: member for _, key, member in files}, tar, keys)
            for column, number in zip(numbers, sample, strict=True):
                column.append(number)
    return TarIndex(tuple(names), *numbers)


def _files(
    path: Path, tar: tarfile.TarFile, size: int, keys: Keys
) -> Iterator[tuple[str, str, tarfile.TarInfo]]:
    seen: set[tuple[str, str]] = set()
    for member in members(tar, size):
        if not member.isfile() or _NO_SAMPLES.match(member.name):
            continue
        name, extension = keys.split_name(member.name)
        if name is None or extension is None:
            continue
        file = name, extension.lower()
        if file in seen:
            raise DataError(f"{path}: it holds {member.name} twice: write the tar again")
        seen.add(file)
        yield *file, member


def _sample(
    path: Path, name: str, files: dict[str, tarfile.TarInfo], tar: tarfile.TarFile, keys: Keys
) -> tuple[int, int, int]:
    """Return where the image of a sample begins, its size and its label."""
    image = next((files[extension] for extension in keys.images if extension in files), None)
    label = tar.extractfile(files[keys.label]) if keys.label in files else None
    if image is None or label is None:
        wanted = keys.label if image is not None else " or ".join(keys.images)
        raise DataError(
            f"{path}: sample '{name}' has no {wanted}, only {shortened_list(sorted(files))}; "
            f"{_remedy(name, files, keys)}"
        )
    return image.offset_data, image.size, _number(path, name, label.read(_LONGEST_LABEL))


def _remedy(name: str, files: Collection[str], keys: Keys) -> str:
    """Say what to do about a sample that lacks something."""
    wanted = (*keys.images, keys.label)
    dotted = next((file for file in sorted(files) if file.endswith(tuple(_dotted(wanted)))), None)
    if dotted is None:
        return "other extensions: --image-keys and --label-key"
    return (
        f"WebDataset takes what follows the first dot of a file's name for its extension, "
        f"'{dotted}' of {name}.{dotted}: write the tars with names that have no other dot"
    )


def _dotted(extensions: Sequence[str]) -> Iterator[str]:
    return (f".{extension}" for extension in extensions)


def _number(path: Path, name: str, content: bytes) -> int:
    try:
        return int(content)
    except ValueError:
        raise DataError(
            f"{path}: the label of sample '{name}' is {content[:20]!r}, no class index"
        ) from None
