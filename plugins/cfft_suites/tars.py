"""Pictures in WebDataset tars, read from where they lie in the file."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import attrs
from PIL.Image import Image

from cfft import DataError, decode_picture

SplitName = Callable[[str], tuple[str | None, str | None]]


@attrs.frozen
class Keys:
    """Say which files of a sample count.

    `images`: extensions of pictures, the first that a sample has is taken. `label`: extension of
    the class index. `split_name`: divides a file's name into the sample's name and the extension.
    """

    images: tuple[str, ...]
    label: str
    split_name: SplitName


@attrs.frozen
class Shard:
    """Name a tar as the user does, and say where it lies."""

    name: str
    path: Path


@attrs.frozen
class Sample:
    """Say where a picture lies: `size` bytes from `offset` on in a tar that is not compressed."""

    shard: Shard
    key: str
    offset: int
    size: int
    label: int


@attrs.frozen(eq=False)
class TarPictures:
    """Hold the pictures of tars; each is read by its place, in any order."""

    name: str
    samples: tuple[Sample, ...]
    class_names: tuple[str, ...]
    labels: tuple[int, ...] = attrs.field(init=False)
    classes: tuple[int, ...] = attrs.field(init=False)

    @labels.default
    def _labels(self) -> tuple[int, ...]:
        return tuple(sample.label for sample in self.samples)

    @classes.default
    def _classes(self) -> tuple[int, ...]:
        return tuple(sorted(set(self.labels)))

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> Image:
        """Return picture `index` in RGB; raises DataError naming tar and sample."""
        sample = self.samples[index]
        try:
            with sample.shard.path.open("rb") as tar:
                tar.seek(sample.offset)
                content = tar.read(sample.size)
        except OSError as error:
            raise DataError(f"{sample.shard.path}: {error.strerror}") from error
        return decode_picture(content, f"{sample.shard.path}: {sample.key}")

    def identify(self, index: int) -> str:
        """Return the tar's name and the sample's."""
        sample = self.samples[index]
        return f"{sample.shard.name}/{sample.key}"


def tar_pictures(
    name: str, shards: Sequence[Shard], class_names: tuple[str, ...], keys: Keys
) -> TarPictures:
    """Find the pictures in tars by their headers.

    Raises DataError for a tar that is cut short, compressed or none, for a sample without a
    picture or a label, and for a label without a class name.
    """
    samples = tuple(sample for shard in shards for sample in _samples(shard, keys))
    for sample in samples:
        if not 0 <= sample.label < len(class_names):
            raise DataError(
                f"{sample.shard.path}: sample '{sample.key}' has label {sample.label}; there are "
                f"{len(class_names)} class names, so 0 to {len(class_names) - 1} are allowed"
            )
    return TarPictures(name, samples, class_names)


def _samples(shard: Shard, keys: Keys) -> Iterator[Sample]:
    try:
        size = shard.path.stat().st_size
        with tarfile.open(shard.path, "r:") as tar:
            for key, files in groupby(_files(tar, size, keys), lambda file: file[0]):
                yield _sample(shard, str(key), {ext: member for _, ext, member in files}, tar, keys)
    except tarfile.TarError as error:
        raise DataError(
            f"{shard.path} is cut short, compressed or no tar ({error}): give whole tars that are "
            "not compressed, whose pictures can be read in any order"
        ) from error
    except OSError as error:
        raise DataError(f"{shard.path}: {error.strerror}") from error


def _files(
    tar: tarfile.TarFile, size: int, keys: Keys
) -> Iterator[tuple[str, str, tarfile.TarInfo]]:
    end = 0
    for member in tar:
        end = member.offset_data + member.size
        key, extension = keys.split_name(member.name)
        if member.isfile() and key is not None and extension is not None:
            yield key, extension.lower(), member
    if size < end + tarfile.BLOCKSIZE:
        raise tarfile.ReadError("its end is missing")  # tarfile takes a cut between files for it


def _sample(
    shard: Shard, key: str, files: dict[str, tarfile.TarInfo], tar: tarfile.TarFile, keys: Keys
) -> Sample:
    image = next((files[extension] for extension in keys.images if extension in files), None)
    label = tar.extractfile(files[keys.label]) if keys.label in files else None
    if image is None or label is None:
        wanted = keys.label if image is not None else " or ".join(keys.images)
        raise DataError(
            f"{shard.path}: sample '{key}' has no {wanted}, only {', '.join(sorted(files))}; other "
            "extensions: --image-keys and --label-key"
        )
    return Sample(shard, key, image.offset_data, image.size, _number(shard, key, label.read()))


def _number(shard: Shard, key: str, content: bytes) -> int:
    try:
        return int(content)
    except ValueError:
        raise DataError(
            f"{shard.path}: the label of sample '{key}' is {content[:20]!r}, no class index"
        ) from None
