"""What the published suites expect of complete sets, and how half of one is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from cfft.data.verify import verify
from cfft_suites.cifar10.suite import Cifar10Suite
from cfft_suites.imagenet.suite import ImageNetSuite


def paint(folder: Path, pictures: int) -> None:
    folder.mkdir(parents=True)
    for number in range(pictures):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def test_imagenet_expects_the_sets_that_are_chosen_and_its_training_pictures() -> None:
    usual = ImageNetSuite(data=Path("data")).expected()
    chosen = ImageNetSuite(data=Path("data"), sets=("imagenet-v2-top",)).expected()

    assert {name: each.pictures for name, each in usual.items()} == {
        "imagenet-train": 1_281_167,
        "imagenet": 50_000,
        "imagenet-v2": 10_000,
        "imagenet-r": 30_000,
        "imagenet-sketch": 50_889,
        "objectnet": 18_574,
        "imagenet-a": 7_500,
    }
    assert list(chosen) == ["imagenet-train", "imagenet-v2-top"]


def test_a_half_downloaded_imagenet_is_told_by_class(tmp_path: Path) -> None:
    paint(tmp_path / "val" / "n01440764", 50)
    paint(tmp_path / "val" / "n01443537", 49)

    found = verify(ImageNetSuite(data=tmp_path), 0)

    assert found.problems == (
        "set 'imagenet': 99 of 50,000 pictures, 49,901 are missing",
        "set 'imagenet': 2 of 1,000 classes, 998 are missing",
        "set 'imagenet': no pictures of great white shark, tiger shark, hammerhead shark, electric "
        "ray, stingray, rooster, hen, ostrich and 990 more",
        "set 'imagenet': classes without 50 pictures: goldfish 49",
    )
    assert list(found.absent)[-1] == "imagenet-a"
    assert "no training pictures" in str(found.untrainable)


def test_cifar10_expects_every_severity_of_a_corruption() -> None:
    suite = Cifar10Suite(data=Path("data"), corruptions=("fog",), severities=(1, 3))

    assert {name: each.pictures for name, each in suite.expected().items()} == {
        "cifar10-train": 50_000,
        "cifar10": 10_000,
        "fog": 20_000,
    }
