"""Prepared images: the pixels of an unprepared run, resumable, never stale, never damaged."""

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from PIL import Image

from cfft.data import file_states, preparing
from cfft.data.augmentation import make_augmentation
from cfft.data.images import ImageFiles, ImageSubset, class_folders
from cfft.data.loading import Loader
from cfft.data.prepared.store import PreparedSets, prepared_folder
from cfft.data.preparing import PreparedSet, prepare_sets
from cfft.errors import ConfigError, DataError
from cfft.records import Preprocessing
from cfft.runtime.locks import held
from cfft.runtime.progress import Silent

HALF = (0.5, 0.5, 0.5)
SMALL = Preprocessing(size=(4, 6), resize=6, interpolation="bicubic", mean=HALF, std=HALF)
EVERYTHING = [[0, 1, 2], [3, 4]]


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageFiles:
    """Return three cats and two dogs of noise, of several sizes and formats."""
    monkeypatch.setenv("CFFT_PREPARED", str(tmp_path / "prepared"))
    monkeypatch.setattr(file_states, "_UNSETTLED", 0)
    rng = np.random.default_rng(0)
    files = ("cat/a.png", "cat/b.jpg", "cat/c.png", "dog/d.jpg", "dog/e.png")
    for number, name in enumerate(files):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (12 + number, 20 - 2 * number, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return class_folders(tmp_path / "pets", "pets")


def prepare(*sets: ImageFiles | ImageSubset, sized: Preprocessing = SMALL) -> list[PreparedSet]:
    return prepare_sets(sets, sized, 0, Silent())


def decoded(images: ImageFiles | ImageSubset, sized: Preprocessing = SMALL) -> torch.Tensor:
    return torch.cat([batch for batch, _, _ in Loader(images, sized).load(EVERYTHING)])


def read(images: ImageFiles | ImageSubset, sized: Preprocessing = SMALL) -> torch.Tensor:
    loader = Loader(images, sized, prepared=PreparedSets().of(images, sized))
    return torch.cat([batch for batch, _, _ in loader.load(EVERYTHING)])


def shards() -> Iterator[Path]:
    return iter(sorted(prepared_folder().glob("*/*.pixels")))


def test_prepared_pixels_are_those_of_the_files(images: ImageFiles) -> None:
    expected = decoded(images)

    (made,) = prepare(images)

    assert (made.stored, made.new) == (5, 5)
    assert torch.equal(read(images), expected)


def test_files_are_not_opened_for_prepared_images(
    images: ImageFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = decoded(images)
    prepare(images)
    monkeypatch.setattr(Image, "open", None)

    assert torch.equal(read(images), expected)


def test_parts_of_a_set_share_its_prepared_images(images: ImageFiles) -> None:
    part = ImageSubset(ImageSubset(images, (4, 2, 0, 1, 3), "turned"), (4, 3, 1, 0, 2), "again")
    expected = decoded(part)
    prepare(images)

    assert torch.equal(read(part), expected)
    assert [made.new for made in prepare(part)] == [0]


def test_another_size_is_prepared_beside_it(images: ImageFiles) -> None:
    large = attrs.evolve(SMALL, size=(8, 8), resize=8)
    prepare(images)

    assert PreparedSets().of(images, large) is None
    prepare(images, sized=large)
    assert torch.equal(read(images, large), decoded(images, large))
    assert torch.equal(read(images), decoded(images))


def test_a_file_that_changed_is_decoded_and_said(images: ImageFiles) -> None:
    prepare(images)
    Image.new("RGB", (9, 9), "red").save(images.root / "cat" / "a.png")
    found = PreparedSets()

    assert torch.equal(read(images), decoded(images))
    assert found.notes([images], SMALL) == ["pets: 4 of 5 images"]
    (line,) = found.warnings([images], SMALL)
    assert line.startswith("set 'pets': 1 prepared image passed over")
    assert [(made.stored, made.new) for made in prepare(images)] == [(5, 1)]
    assert torch.equal(read(images), decoded(images))
    assert PreparedSets().warnings([images], SMALL) == []


def test_an_interrupted_preparation_is_resumed(
    images: ImageFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_SHARD_BYTES", 2 * 3 * 4 * 6)  # two images
    whole = preparing.rows_file

    def interrupted(rows: list[bytes]) -> bytes:
        if (prepared_folder() / "seen").exists():
            raise KeyboardInterrupt
        (prepared_folder() / "seen").touch()
        return whole(rows)

    monkeypatch.setattr(preparing, "rows_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(images)
    monkeypatch.setattr(preparing, "rows_file", whole)

    assert torch.equal(read(images), decoded(images))
    assert [(made.stored, made.new) for made in prepare(images)] == [(5, 3)]
    assert torch.equal(read(images), decoded(images))


def test_damaged_pixels_are_an_error_and_are_made_anew(images: ImageFiles) -> None:
    prepare(images)
    pixels = next(shards())
    content = bytearray(pixels.read_bytes())
    content[3 * 4 * 6] ^= 1  # of the second image
    pixels.write_bytes(content)

    with pytest.raises(DataError, match=r"set 'pets': the prepared images in .* are damaged"):
        read(images)
    assert [(made.stored, made.new) for made in prepare(images)] == [(5, 5)]
    assert torch.equal(read(images), decoded(images))


@pytest.mark.parametrize("suffix", [".pixels", ".rows"])
def test_a_file_cut_short_is_passed_over_and_said(images: ImageFiles, suffix: str) -> None:
    prepare(images)
    file = next(shards()).with_suffix(suffix)
    os.truncate(file, file.stat().st_size - 1)
    found = PreparedSets()

    assert torch.equal(read(images), decoded(images))
    assert found.notes([images], SMALL) == []
    assert "damaged prepared images are passed over" in found.warnings([images], SMALL)[0]
    assert [(made.stored, made.new) for made in prepare(images)] == [(5, 5)]


def test_another_version_of_a_library_is_another_image(
    images: ImageFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(images)
    monkeypatch.setattr("cfft.data.prepared.store._RULES", "Pillow 99")

    assert "versions of Pillow" in PreparedSets().warnings([images], SMALL)[0]


def test_augmented_images_are_made_of_their_files(images: ImageFiles) -> None:
    changed = make_augmentation("crop", SMALL, 0)
    numbers = [[7, 8, 9], [10, 11]]
    plain = Loader(images, SMALL, augmentation=changed)
    expected = [batch.tolist() for batch, _, _ in plain.load(EVERYTHING, numbers)]
    prepare(images)

    found = PreparedSets().of(images, SMALL)
    loader = Loader(images, SMALL, augmentation=changed, prepared=found)

    assert [batch.tolist() for batch, _, _ in loader.load(EVERYTHING, numbers)] == expected


def test_sent_to_another_process_they_are_opened_there(images: ImageFiles) -> None:
    prepare(images)
    found = PreparedSets().of(images, SMALL)
    assert found is not None
    first = found.read(0)
    assert first is not None

    sent = pickle.loads(pickle.dumps(found))

    assert torch.equal(sent.read(0), first)
    assert len(pickle.dumps(found)) < 5000


def test_files_that_something_else_reads_are_not_prepared(images: ImageFiles) -> None:
    class Cropped(ImageFiles):
        """Read files in a way of its own."""

    own = Cropped(**{f.name: getattr(images, f.name) for f in attrs.fields(ImageFiles)})

    (made,) = prepare(own)

    assert made.reason == "its images are no files of their own, and are read as before"
    assert PreparedSets().of(own, SMALL) is None


def test_a_disk_without_room_is_told_before_anything_is_decoded(
    images: ImageFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_free", lambda folder: 10)

    with pytest.raises(DataError, match=r"prepared images need .* CFFT_PREPARED"):
        prepare(images)


def test_a_folder_that_cannot_be_written_is_told(images: ImageFiles, tmp_path: Path) -> None:
    (tmp_path / "prepared").write_text("a file")

    with pytest.raises(DataError, match=r"cannot store prepared images in .*CFFT_PREPARED"):
        prepare(images)


def test_two_preparations_do_not_mix(images: ImageFiles) -> None:
    prepare(images)
    folder = next(shards()).parent

    with held(folder), pytest.raises(ConfigError, match="is in use by process"):
        prepare(images)
