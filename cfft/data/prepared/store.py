"""Prepared images of a set: which of them are there, of files as they are now."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import PIL
import torch
import torchvision
from numpy.typing import NDArray
from PIL import features
from torch import Tensor

from cfft.data.file_states import FileState, file_state
from cfft.data.images import ImageFiles, ImageSubset
from cfft.data.prepared.shards import ROW, Shard, digest_of, shards_in
from cfft.data.suite import ImageSet
from cfft.data.transform import fitting, sizing
from cfft.errors import DataError, counted
from cfft.records import Preprocessing
from cfft.runtime.caches import cache_folder
from cfft.runtime.files import user_path

FOLDER = "CFFT_PREPARED"
"""The environment variable that says where prepared images lie."""

_VERSION = 1  # of the transform and of the form on disk
_CHANNELS = 3
_UNKNOWN, _ABSENT, _CHANGED = -3, -2, -1  # in place of a row


def prepared_folder() -> Path:
    """Return where prepared images lie: in $CFFT_PREPARED, else in the user's cache."""
    said = os.environ.get(FOLDER, "")
    return user_path(said) if said else cache_folder("prepared")


def files_of(images: ImageSet) -> tuple[ImageFiles, NDArray[np.int64]] | None:
    """Return the image files that a set or a part of one is read from, and the place of each image.

    None for images that are no files of their own, or that something else than cfft reads.
    """
    places = np.arange(len(images))
    while type(images) is ImageSubset:
        places = np.asarray(images.indices, np.int64)[places]
        images = images.whole
    return (images, places) if type(images) is ImageFiles else None


def path_of(files: ImageFiles, index: int) -> str:
    """Return the absolute path of an image."""
    return os.path.abspath(os.path.join(files.root, files.paths[index]))


@attrs.frozen(eq=False)
class PreparedImages:
    """Hold the prepared images of a set: `rows` [N], the row of each or a number below 0.

    `files`: the files of pixels, of which file i holds the rows from `starts[i]` on. `digests`: of
    all rows. Files are mapped where a row is first read, in each process anew.
    """

    name: str
    shape: tuple[int, int, int]
    files: tuple[Path, ...]
    starts: NDArray[np.int64] = attrs.field(repr=False)
    digests: NDArray[np.void] = attrs.field(repr=False)
    rows: NDArray[np.int64] = attrs.field(repr=False)
    _mapped: dict[int, NDArray[np.uint8]] = attrs.field(factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is mapped: it would be copied to processes that are not forked."""
        named = {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
        return {**named, "_mapped": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    @property
    def there(self) -> int:
        """The number of images that are prepared."""
        return int((self.rows >= 0).sum())

    @property
    def changed(self) -> int:
        """The number of images that were prepared, and whose files have changed since."""
        return int((self.rows == _CHANGED).sum())

    def read(self, index: int) -> Tensor | None:
        """Return image `index` [3, H, W], uint8, or None where it is not prepared.

        Raises DataError where its pixels are not what was stored.
        """
        row = int(self.rows[index])
        if row < 0:
            return None
        number = int(np.searchsorted(self.starts, row, side="right")) - 1
        try:
            if number not in self._mapped:
                mapped = np.memmap(self.files[number], np.uint8, mode="r")
                self._mapped[number] = mapped.reshape(-1, *self.shape)
            pixels = np.array(self._mapped[number][row - self.starts[number]])
        except (OSError, ValueError, IndexError) as error:
            raise self._damage(number) from error
        if digest_of(pixels.data) != self.digests[row].tobytes():
            raise self._damage(number)
        return torch.from_numpy(pixels)

    def _damage(self, number: int) -> DataError:
        return DataError(
            f"set '{self.name}': the prepared images in {self.files[number]} are damaged: make "
            "them again (cfft data prepare), or remove the file and its images are decoded"
        )


@attrs.frozen(eq=False)
class PreparedStore:
    """Hold all prepared images of the files below a folder, at one size: `folder`, its shards.

    `paths`: hashes of paths, sorted, and for each its `states` and `rows`. `starts` and `digests`:
    as in PreparedImages. `damaged`: files of pixels that are passed over.
    """

    folder: Path
    shape: tuple[int, int, int]
    shards: tuple[Shard, ...] = attrs.field(repr=False)
    damaged: tuple[Path, ...]
    starts: NDArray[np.int64] = attrs.field(repr=False)
    digests: NDArray[np.void] = attrs.field(repr=False)
    paths: NDArray[np.uint64] = attrs.field(repr=False)
    states: NDArray[np.void] = attrs.field(repr=False)
    rows: NDArray[np.int64] = attrs.field(repr=False)

    @classmethod
    def open(cls, files: ImageFiles, fitted: Preprocessing) -> PreparedStore:
        """Return what is there for these files, perhaps nothing; `fitted`: see `fitting`."""
        folder = store_folder(files.root, fitted)
        shape = (_CHANNELS, *fitted.size)
        found = list(shards_in(folder, row_bytes(fitted)))
        shards = tuple(each for each in found if isinstance(each, Shard))
        damaged = tuple(each for each in found if isinstance(each, Path))
        whole = np.concatenate([np.empty(0, ROW), *(each.rows for each in shards)])
        # of equal paths the newest shard counts
        paths, newest = np.unique(whole["path"][::-1], return_index=True)
        rows = (len(whole) - 1 - newest).astype(np.int64)
        starts = np.cumsum([0, *(len(shard.rows) for shard in shards)])[:-1].astype(np.int64)
        stored = (starts, whole["digest"], paths, whole["state"][rows], rows)
        return cls(folder, shape, shards, damaged, *stored)

    def row(self, state: FileState | None) -> int:
        """Return the row of a file as it is now, below 0 where there is none."""
        if state is None:
            return _ABSENT
        place = int(np.searchsorted(self.paths, np.uint64(state.path)))
        if place == len(self.paths) or int(self.paths[place]) != state.path:
            return _ABSENT
        return int(self.rows[place]) if self.states[place].tobytes() == state.state else _CHANGED

    def images(self, name: str, rows: NDArray[np.int64]) -> PreparedImages:
        """Return the images of a set, whose rows are given."""
        files = tuple(shard.pixels for shard in self.shards)
        return PreparedImages(name, self.shape, files, self.starts, self.digests, rows)


def row_bytes(fitted: Preprocessing) -> int:
    """Return the size of a prepared image."""
    height, width = fitted.size
    return _CHANNELS * height * width


def store_folder(root: Path, fitted: Preprocessing) -> Path:
    """Return where the images of the files below `root` lie at one size."""
    (height, width), resize, interpolation = sizing(fitted)
    place = os.path.abspath(root)
    digest = sha256(place.encode(errors="surrogateescape")).hexdigest()[:16]
    return prepared_folder() / f"{digest}-{height}x{width}-{resize}-{interpolation}"


def state_of(path: str) -> FileState | None:
    """Return the state of a file, and of the libraries whose versions decide over its pixels."""
    return file_state(path, _RULES)


_RULES = " ".join(
    str(part)
    for part in (
        *(_VERSION, PIL.__version__, features.version("libjpeg_turbo"), features.version("webp")),
        torchvision.__version__,
    )
)


@attrs.frozen(eq=False)
class PreparedSets:
    """Find prepared images for the sets of a job; files are compared once with what is stored."""

    _found: dict[Any, tuple[ImageFiles, PreparedStore, NDArray[np.int64]]] = attrs.field(
        factory=dict
    )

    def of(self, images: ImageSet, preprocessing: Preprocessing) -> PreparedImages | None:
        """Return the prepared images of a set, None where none is of any use to it."""
        found = files_of(images)
        if found is None:
            return None
        files, places = found
        fitted = fitting(images, preprocessing)
        key = id(files), sizing(fitted)
        if key not in self._found:
            unknown = np.full(len(files), _UNKNOWN, np.int64)
            self._found[key] = files, PreparedStore.open(files, fitted), unknown
        _, store, rows = self._found[key]
        if not len(store.rows):
            return None
        for index in places[rows[places] == _UNKNOWN].tolist():
            rows[index] = store.row(state_of(path_of(files, index)))
        prepared = store.images(images.name, rows[places])
        return prepared if prepared.there or prepared.changed else None

    def notes(self, sets: Sequence[ImageSet], preprocessing: Preprocessing) -> list[str]:
        """Say of each set that has prepared images how many there are."""
        found = (self.of(images, preprocessing) for images in sets)
        lines = (f"{f.name}: {f.there:,} of {len(f.rows):,} images" for f in found if f)
        return list(dict.fromkeys(lines))

    def warnings(self, sets: Sequence[ImageSet], preprocessing: Preprocessing) -> list[str]:
        """Say which prepared images of these sets are passed over, and why, in a line each."""
        found = (each for images in sets if (each := self.of(images, preprocessing)))
        changed = {each.name: each.changed for each in found if each.changed}
        stale = (
            f"set '{name}': {counted(count, 'prepared image', 'prepared images')} passed over, "
            "made of other files or by other versions of Pillow and torchvision: the files are "
            "decoded, until cfft data prepare makes them anew"
            for name, count in changed.items()
        )
        damaged = (
            f"{path}: damaged prepared images are passed over: their files are decoded, until "
            "cfft data prepare makes them anew"
            for _, store, _ in self._found.values()
            for path in store.damaged
        )
        return [*stale, *damaged]
