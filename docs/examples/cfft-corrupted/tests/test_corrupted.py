"""The suite keeps the rules of its kind and corrupts as it says."""

from pathlib import Path

import cfft
import pytest
import torch
from cfft.testing import check_strategy
from PIL import Image

from cfft_corrupted import CORRUPTIONS, CorruptedImages, CorruptedSuite, blur, contrast, noise


def test_the_suite_keeps_the_rules_of_its_kind() -> None:
    check_strategy(CorruptedSuite)


def test_contrast_at_severity_1_keeps_four_tenths_of_the_distance_to_the_mean() -> None:
    image = torch.tensor([50, 150], dtype=torch.uint8).view(1, 1, 2).expand(3, 1, 2)

    # the mean is 100: 100 - 0.4 * 50 and 100 + 0.4 * 50
    assert contrast(image, 1, None)[0, 0].tolist() == [80, 120]


def test_noise_has_the_deviation_of_its_severity() -> None:
    image = torch.full((3, 100, 100), 128, dtype=torch.uint8)

    noisy = noise(image, 1, torch.Generator().manual_seed(0)).float()

    assert noisy.std().item() == pytest.approx(0.08 * 255, rel=0.02)
    assert noisy.mean().item() == pytest.approx(128, abs=0.5)


def test_a_blurred_edge_has_half_the_brightness_where_it_was() -> None:
    image = torch.zeros(3, 1, 129, dtype=torch.uint8)
    image[..., 64] = 200
    image[..., 65:] = 200

    left, right = blur(image.expand(3, 65, 129), 1, None)[0, 0, 63:65].tolist()

    # a step between pixels 63 and 64: what one lacks of 200 the other has
    assert left + right == pytest.approx(200, abs=1)
    assert 0 < left < 100 < right < 200


@pytest.fixture
def test_images(tmp_path: Path) -> cfft.ImageSet:
    """Write and open the test set of the suite's own example."""
    values = CorruptedSuite.example(tmp_path)
    return CorruptedSuite(**values).open(seed=0).test


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_an_image_is_always_corrupted_alike(test_images: cfft.ImageSet, corruption: str) -> None:
    first, again = (CorruptedImages(test_images, corruption, 3).read(0) for _ in range(2))

    assert first.size == (224, 224)
    assert first.tobytes() == again.tobytes()


def test_two_images_have_noise_of_their_own(tmp_path: Path) -> None:
    for name in ("red/0.png", "red/1.png", "blue/0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (224, 224), (128, 128, 128)).save(tmp_path / name)
    noisy = CorruptedImages(cfft.class_folders(tmp_path, "test"), "noise", 1)

    assert len({noisy.read(index).tobytes() for index in range(3)}) == 3
