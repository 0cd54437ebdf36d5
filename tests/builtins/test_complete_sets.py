"""Published suites know the size of complete sets and report incomplete ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from cfft.data.verification.verify import verify
from cfft_suites.cifar10.suite import Cifar10Suite
from cfft_suites.imagenet.suite import ImageNetSuite


def paint(folder: Path, images: int) -> None:
    folder.mkdir(parents=True)
    for number in range(images):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def test_imagenet_expects_the_sets_that_are_chosen_and_its_training_images() -> None:
    usual = ImageNetSuite(data=Path("data")).expected()
    chosen = ImageNetSuite(data=Path("data"), sets=("imagenet-v2-top",)).expected()

    assert {name: each.images for name, each in usual.items()} == {
        "imagenet-train": 1_281_167,
        "imagenet": 50_000,
        "imagenet-v2": 10_000,
        "imagenet-r": 30_000,
        "imagenet-sketch": 50_889,
        "objectnet": 18_574,
        "imagenet-a": 7_500,
    }
    assert list(chosen) == ["imagenet-train", "imagenet-v2-top"]


def test_a_half_downloaded_imagenet_is_reported_by_class(tmp_path: Path) -> None:
    paint(tmp_path / "val" / "n01440764", 50)
    paint(tmp_path / "val" / "n01443537", 49)

    found = verify(ImageNetSuite(data=tmp_path), 0)

    assert found.problems == (
        "set 'imagenet': 99 of 50,000 images, 49,901 are missing",
        "set 'imagenet': 2 of 1,000 classes, 998 are missing",
        "set 'imagenet': no images of great white shark, tiger shark, hammerhead shark, electric "
        "ray, stingray, rooster, hen, ostrich and 990 more",
        "set 'imagenet': classes without 50 images: goldfish 49",
    )
    assert list(found.absent)[-1] == "imagenet-a"
    assert "no training images" in str(found.untrainable)


def test_damaged_sets_of_imagenet_hide_neither_the_others_nor_what_is_absent(
    tmp_path: Path,
) -> None:
    paint(tmp_path / "val" / "n01440764", 50)
    paint(tmp_path / "sketch" / "n01440764", 2)
    paint(tmp_path / "sketch" / "tench", 1)
    paint(tmp_path / "imagenet-r" / "n01443537", 3)
    paint(tmp_path / "imagenet-r" / "n01484850", 0)
    paint(tmp_path / "objectnet-1.0" / "images" / "banana", 1)
    (tmp_path / "objectnet-1.0" / "mappings").mkdir()

    found = verify(ImageNetSuite(data=tmp_path), 0, decode=False)

    assert [(s.name, s.images, len(s.faults)) for s in found.sets] == [
        ("imagenet", 50, 0),
        ("imagenet-r", 3, 1),
        ("imagenet-sketch", 2, 1),
    ]
    assert ("great white shark", 0) in found.sets[1].short
    assert "ObjectNet's mappings cannot be read" in found.refused["objectnet"]
    assert list(found.absent) == ["imagenet-v2", "imagenet-a"]


def test_half_of_imagenets_training_images_are_counted(tmp_path: Path) -> None:
    paint(tmp_path / "val" / "n01440764", 1)
    paint(tmp_path / "train" / "n01440764", 3)

    found = verify(ImageNetSuite(data=tmp_path), 0, decode=False)

    assert [(s.role, s.whole, s.classes) for s in found.sets[:2]] == [
        ("train", 3, 1),
        ("val", 3, 0),
    ]
    assert found.problems[:3] == (
        f"{tmp_path / 'train'} lacks 999 of ImageNet's 1000 classes, such as n01443537: complete "
        "it, or train on it with --suite folder",
        "set 'imagenet-train': 3 of 1,281,167 images, 1,281,164 are missing",
        "set 'imagenet-train': 1 of 1,000 classes, 999 are missing",
    )
    assert found.untrainable is None


def test_a_damaged_file_of_cifar10_hides_no_other_set(tmp_path: Path) -> None:
    (tmp_path / "test_batch").write_bytes(b"no pickle")
    np.savez(
        tmp_path / "cifar102_test.npz",
        images=np.zeros((2, 32, 32, 3), np.uint8),
        labels=np.array([5, 6]),
    )

    found = verify(Cifar10Suite(data=tmp_path), 0, decode=False)

    assert [s.name for s in found.sets] == ["cifar10.2"]
    assert list(found.refused) == ["cifar10"]
    assert list(found.absent) == ["cifar10.1"]
    assert found.untrainable is None


def test_cifar10_expects_every_severity_of_a_corruption() -> None:
    suite = Cifar10Suite(data=Path("data"), corruptions=("fog",), severities=(1, 3))

    assert {name: each.images for name, each in suite.expected().items()} == {
        "cifar10-train": 50_000,
        "cifar10": 10_000,
        "fog": 20_000,
    }
