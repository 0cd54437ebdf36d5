"""Augmentation: drawn for each image from the seed, and refused where it cannot work."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from cfft.data.augmentation import make_augmentation
from cfft.data.images import ImageFiles
from cfft.data.loading import Loader
from cfft.errors import ConfigError
from cfft.records import Preprocessing

GREY = (0.5, 0.5, 0.5)
TINY = Preprocessing((6, 8), 8, "bicubic", GREY, GREY)


@pytest.fixture
def images(tmp_path) -> ImageFiles:
    rng = np.random.default_rng(0)
    for number in range(4):
        pixels = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    paths = tuple(f"{number}.png" for number in range(4))
    return ImageFiles("train", tmp_path, paths, (0, 1, 0, 1), (0, 1), ("a", "b"))


def loaded(images: ImageFiles, text: str, numbers: list[int] | None, workers: int = 0) -> Tensor:
    made = make_augmentation(text, TINY, seed=3)
    loader = Loader(images, TINY, workers, augmentation=made)
    found = loader.load([[0, 1], [2, 3]], numbers and [numbers[:2], numbers[2:]])
    return torch.cat([batch for batch, _, _ in found])


def test_none_changes_nothing() -> None:
    assert make_augmentation("none", TINY, seed=0) is None


def test_images_without_a_number_are_read_as_they_are(images) -> None:
    assert torch.equal(loaded(images, "crop,flip", None), loaded(images, "none", None))


def test_a_flip_leaves_an_image_or_mirrors_it(images) -> None:
    plain, found = (loaded(images, text, [0, 1, 2, 3]) for text in ("none", "flip"))

    mirrored = [torch.equal(a, b.flip(-1)) for a, b in zip(found, plain, strict=True)]
    alike = [torch.equal(a, b) for a, b in zip(found, plain, strict=True)]
    assert [a or b for a, b in zip(mirrored, alike, strict=True)] == [True] * 4
    assert any(mirrored)


@pytest.mark.parametrize("text", ["crop,flip", "randaugment", "ColorJitter(brightness=0.5)"])
def test_neither_workers_nor_what_was_read_before_touch_the_draws(images, text: str) -> None:
    before = torch.random.get_rng_state()
    alone = loaded(images, text, [4, 5, 6, 7])

    assert torch.equal(loaded(images, text, [4, 5, 6, 7], workers=2), alone)
    assert torch.equal(loaded(images, text, [0, 0, 6, 7])[2:], alone[2:])
    assert not torch.equal(loaded(images, text, [8, 9, 10, 11]), alone)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flop", r"--augment flop \(training.augment\): unknown transform 'flop'; did you.*flip"),
        ("a+b", r"got 'a\+b', allowed: none, or names of transforms with commas"),
        ("crop(__import__('os'))", "got .*, allowed: none, or names"),
        ("crop,RandomResizedCrop", "crop is given twice"),
        ("flip(q=2)", "torchvision's RandomHorizontalFlip cannot be made so: .*'q'"),
        ("CutMix(num_classes=3)", "cannot change an RGB image: CutMix"),
        ("Grayscale", r"must keep images RGB and of their size.*\[3, 6, 8\], and made .*\[1, 6, 8"),
        ("Resize(4)", r"must keep images RGB and of their size"),
    ],
)
def test_what_cannot_work_is_refused_in_a_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make_augmentation(text, TINY, seed=0)

    assert len(caught.value.problems) == 1
