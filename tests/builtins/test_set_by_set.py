"""Suites of the user's own data open set by set: what is wrong with one hides no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cfft import DataError
from cfft.data.sets import evaluation_sets, training_sets
from cfft.data.verification.verify import Verification, verify
from cfft_suites.domains.suite import DomainsSuite
from cfft_suites.folder import FolderSuite


def paint(folder: Path, images: int = 10) -> None:
    folder.mkdir(parents=True)
    for number in range(images):
        Image.new("RGB", (2, 2)).save(folder / f"{number}.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten cats and ten dogs to train on, and a dog in snow."""
    paint(tmp_path / "train" / "cat")
    paint(tmp_path / "train" / "dog")
    paint(tmp_path / "ood" / "snow" / "dog", images=1)
    return tmp_path


def counts(found: Verification) -> dict[str, int]:
    return {each.name: each.images for each in found.sets}


def test_folders_without_classes_are_faults_of_parts_and_shifts(folder: Path) -> None:
    paint(folder / "val")
    (folder / "ood" / "fog").mkdir()

    found = verify(FolderSuite(data=folder), 0, decode=False)

    assert counts(found) == {"train": 16, "val": 0, "test": 4, "fog": 0, "snow": 1}
    assert [each.name for each in found.sets if each.faults] == ["val", "fog"]
    with pytest.raises(DataError, match=r"images lie directly in .*val(?s:.*)fog has no class"):
        training_sets(FolderSuite(data=folder), 0)


def test_a_set_that_cannot_be_divided_is_counted_as_a_whole(folder: Path) -> None:
    paint(folder / "train" / "owl", images=2)

    found = verify(FolderSuite(data=folder), 0, decode=False)

    assert counts(found) == {"train": 22, "val": 0, "test": 0, "snow": 1}
    assert len(found.problems) == 1
    assert "'owl' has 2 images" in found.problems[0]


def test_an_empty_class_is_reported_before_what_cannot_be_divided_for_it(folder: Path) -> None:
    paint(folder / "train" / "owl", images=2)
    paint(folder / "train" / "bat", images=0)

    with pytest.raises(DataError, match=r"^set 'train': no images in class folder \S+bat;[^\n]*$"):
        training_sets(FolderSuite(data=folder), 0)


def test_measured_folders_without_training_are_faulty_one_by_one(tmp_path: Path) -> None:
    paint(tmp_path / "test" / "cat", images=0)
    paint(tmp_path / "ood" / "snow" / "dog", images=1)

    sets = FolderSuite(data=tmp_path).evaluation(0)

    assert [(each.name, len(each)) for each in sets.present] == [("test", 0), ("snow", 1)]
    with pytest.raises(DataError, match="set 'test': no images in class folder"):
        evaluation_sets(FolderSuite(data=tmp_path), 0)


@pytest.fixture
def domains(tmp_path: Path) -> Path:
    """Ten cats and ten dogs in photographs and in sketches, and clips."""
    for domain in ("photo", "sketch", "clip"):
        paint(tmp_path / domain / "cat")
        paint(tmp_path / domain / "dog")
    return tmp_path


def write_lists(domains: Path, *names: str) -> None:
    """List half of a domain's images in photo_train.txt, the others in photo_test.txt, ..."""
    for name in names:
        domain, _, part = name.partition("_")
        half = range(5) if part == "train" else range(5, 10)
        pets = {"cat": 0, "dog": 1}
        lines = [f"{domain}/{pet}/{n}.png {label}" for pet, label in pets.items() for n in half]
        (domains / f"{name}.txt").write_text("\n".join(lines))


def test_a_domain_without_its_list_is_refused_alone(domains: Path) -> None:
    write_lists(domains, "photo_train", "photo_test", "clip_test")
    suite = DomainsSuite(data=domains, id="photo", lists=True)

    found = verify(suite, 0, decode=False)

    assert list(counts(found)) == ["photo-train", "photo-val", "photo", "clip"]
    assert list(found.refused) == ["sketch"]
    assert "sketch_test.txt" in found.refused["sketch"]
    with pytest.raises(DataError, match=r"--lists needs sketch_test.txt or sketch_test_kfold.txt"):
        training_sets(suite, 0)


def test_listed_images_that_are_missing_leave_the_others_counted(domains: Path) -> None:
    write_lists(domains, "photo_train", "photo_test", "clip_test", "sketch_test")
    (domains / "sketch" / "cat" / "7.png").unlink()

    found = verify(DomainsSuite(data=domains, id="photo", lists=True), 0, decode=False)

    assert counts(found)["sketch"] == 9
    assert found.problems == (
        f"{domains}/sketch_test.txt lists 10 images, 1 of them not there: sketch/cat/7.png",
    )
