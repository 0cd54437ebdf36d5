"""Decode the images of sets once and store them at a model's input size."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from cfft.data.images import ImageFiles, ImageSubset
from cfft.data.loading import Loader
from cfft.data.prepared.shards import incomplete, next_shard, row_of, rows_beside, rows_file
from cfft.data.prepared.store import (
    FOLDER,
    PreparedStore,
    files_of,
    path_of,
    row_bytes,
    state_of,
    store_folder,
)
from cfft.data.suite import ImageSet
from cfft.data.transform import fitting
from cfft.errors import DataError
from cfft.records import Preprocessing
from cfft.runtime.files import remove_partial, replacing
from cfft.runtime.locks import held
from cfft.runtime.progress import Reporter

_SHARD_BYTES = 256 * 2**20
_BATCH = 64
_MOMENT = 2.1  # seconds after which a file's times tell whether it was written again


@attrs.frozen
class PreparedSet:
    """Say what was done for a set: `stored` of its `images` are there now, `new` of them just made.

    `reason`: why it cannot be prepared, or None. `folder`: where its images lie, or None.
    """

    name: str
    images: int
    stored: int
    new: int
    folder: str | None = None
    reason: str | None = None


_NO_FILES = "its images are no files of their own, and are read as before"


def prepare_sets(
    sets: Sequence[ImageSet],
    preprocessing: Preprocessing,
    workers: int | None,
    reporter: Reporter,
) -> list[PreparedSet]:
    """Store the images of `sets` that are not stored yet, and those whose files have changed.

    What is there is read and compared with its digests; damaged shards are made anew. Each shard
    counts once it is whole, so that an interrupted call is resumed by the next one. Raises
    DataError for an image that cannot be read and for a disk without room, and ConfigError where
    another process does the same.
    """
    checked: set[str] = set()
    return [_prepare(images, preprocessing, workers, reporter, checked) for images in sets]


def _prepare(
    images: ImageSet,
    preprocessing: Preprocessing,
    workers: int | None,
    reporter: Reporter,
    checked: set[str],
) -> PreparedSet:
    found = files_of(images)
    if found is None:
        return PreparedSet(images.name, len(images), 0, 0, reason=_NO_FILES)
    files, places = found
    fitted = fitting(images, preprocessing)
    folder = store_folder(files.root, fitted)
    try:
        with held(folder, str(folder)):
            if str(folder) not in checked:
                remove_partial(folder)
                _remove_damaged(PreparedStore.open(files, fitted), row_bytes(fitted), reporter)
                checked.add(str(folder))
            lacking = _lacking(files, places.tolist(), fitted)
            _require_room(folder, len(lacking) * row_bytes(fitted))
            if lacking:
                with reporter.task(f"preparing {images.name}", len(lacking)) as advance:
                    for done in _store(files, lacking, fitted, workers):
                        advance(done)
            left = len(_lacking(files, places.tolist(), fitted))
    except OSError as error:
        raise DataError(
            f"cannot store prepared images in {folder}: {error.strerror or error}; choose another "
            f"folder (environment variable {FOLDER})"
        ) from error
    stored = len(places) - left
    return PreparedSet(images.name, len(places), stored, len(lacking) - left, str(folder))


def _remove_damaged(store: PreparedStore, size: int, reporter: Reporter) -> None:
    for pixels in (*store.damaged, *incomplete(store.folder)):
        rows_beside(pixels).unlink(missing_ok=True)
        pixels.unlink(missing_ok=True)
    if not store.shards:
        return
    with reporter.task("checking prepared images", len(store.shards)) as advance:
        for done, shard in enumerate(store.shards, start=1):
            if shard.damaged(size):
                shard.remove()
            advance(done)


def _lacking(files: ImageFiles, places: Sequence[int], fitted: Preprocessing) -> list[int]:
    store = PreparedStore.open(files, fitted)
    return [place for place in places if store.row(state_of(path_of(files, place))) < 0]


def _require_room(folder: Path, wanted: int) -> None:
    free = _free(folder)
    if wanted > free:
        raise DataError(
            f"prepared images need {_gigabytes(wanted)} in {folder}, which has {_gigabytes(free)} "
            f"left: choose another folder (environment variable {FOLDER})"
        )


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"


def _store(
    files: ImageFiles, places: Sequence[int], fitted: Preprocessing, workers: int | None
) -> Iterator[int]:
    """Write shards of the images at `places`; yield how many are done."""
    states = (state_of(path_of(files, place)) for place in places)
    if not all(state is None or state.settled for state in states):
        time.sleep(_MOMENT)
    loader = Loader(ImageSubset(files, tuple(places), files.name), fitted, workers)
    count = max(1, _SHARD_BYTES // row_bytes(fitted))
    for start in range(0, len(places), count):
        indices = range(start, min(start + count, len(places)))
        yield from _write_shard(files, places, indices, loader, store_folder(files.root, fitted))


def _write_shard(
    files: ImageFiles, places: Sequence[int], indices: range, loader: Loader, folder: Path
) -> Iterator[int]:
    """Write the images of `indices` into a new shard but those that change meanwhile."""
    batches = [indices[i : i + _BATCH] for i in range(0, len(indices), _BATCH)]
    before = {index: state_of(path_of(files, places[index])) for index in indices}
    pixels, rows = next_shard(folder), list[bytes]()
    with replacing(pixels) as partial, partial.open("wb") as file:
        for images, _, numbers in loader.load(batches):
            for image, number in zip(images.numpy(), numbers.tolist(), strict=True):
                state = before[number]
                unchanged = state is not None and state == state_of(path_of(files, places[number]))
                if state is not None and unchanged and state.settled:
                    content = image.tobytes()
                    file.write(content)
                    rows.append(row_of(state, content))
            yield int(numbers[-1]) + 1
    if not rows:
        pixels.unlink()
        return
    with replacing(rows_beside(pixels)) as partial:
        partial.write_bytes(rows_file(rows))
