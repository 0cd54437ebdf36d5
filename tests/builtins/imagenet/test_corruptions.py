"""Corruptions on the fly: which there are, that they repeat, and that averages stay meaningful."""

import random
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfft import ComputedImageSet, ConfigError, DataError, ImageSet
from cfft.data.images import ImageSubset, origins_of
from cfft.data.sets import evaluation_sets
from cfft_suites.imagenet import corruptions
from cfft_suites.imagenet.corruptions import corrupt, corruption_library
from cfft_suites.imagenet.suite import ImageNetSuite
from cfft_suites.selection import CORRUPTIONS

ALL = [name for names in CORRUPTIONS.values() for name in names]
FOLDER = "n01440764"


@pytest.fixture
def noise() -> Image.Image:
    """An image of random colours, 224 x 224."""
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def data(lay: Callable[..., None], tmp_path: Path) -> Path:
    """A validation set of two images, 40 x 30."""
    lay(f"val/{FOLDER}", images=2, size=(40, 30))
    return tmp_path


def ood(data: Path, *names: str, severities: tuple[int, ...]) -> tuple[ImageSet, ...]:
    return ImageNetSuite(data=data, corruptions=names, severities=severities).evaluation(0).ood


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


def test_the_names_are_those_of_the_library() -> None:
    assert corruption_library().get_corruption_names() == ALL
    assert len(ALL) == 15


@pytest.mark.parametrize("name", ALL)
def test_a_corruption_depends_on_the_images_name_and_nothing_else(
    name: str, noise: Image.Image
) -> None:
    first = corrupt(noise, name, 3, "3/a.png")
    np.random.seed(1)

    again = corrupt(noise, name, 3, "3/a.png")

    assert first.tobytes() == again.tobytes()
    assert (first.size, first.mode) == ((224, 224), "RGB")
    assert first.tobytes() != noise.tobytes()


@pytest.mark.parametrize("name", ["gaussian_noise", "impulse_noise", "glass_blur", "frost"])
def test_another_image_gets_other_draws(name: str, noise: Image.Image) -> None:
    here, there = (corrupt(noise, name, 3, key) for key in ("3/a.png", "3/b.png"))

    assert here.tobytes() != there.tobytes()


def test_the_global_generators_go_on_as_before(noise: Image.Image) -> None:
    np.random.seed(5)
    random.seed(5)
    expected = np.random.rand(), random.random()
    np.random.seed(5)
    random.seed(5)

    corrupt(noise, "snow", 1, "1/a.png")

    assert (np.random.rand(), random.random()) == expected


def test_severities_grow(data: Path) -> None:
    (images,) = ood(data, "contrast", severities=(1, 5))
    Image.linear_gradient("L").convert("RGB").save(data / "val" / FOLDER / "0.png")
    clean = Image.linear_gradient("L").crop((16, 16, 240, 240)).convert("RGB")

    assert 0 < difference(images.read(0), clean) < difference(images.read(2), clean)


def test_a_set_holds_every_image_once_for_each_severity(data: Path) -> None:
    (images,) = ood(data, "fog", severities=(2, 4))

    assert [images.identify(index) for index in range(len(images))] == [
        f"2/{FOLDER}/0.png",
        f"2/{FOLDER}/1.png",
        f"4/{FOLDER}/0.png",
        f"4/{FOLDER}/1.png",
    ]
    assert (images.name, tuple(images.labels), len(images.classes)) == ("fog", (0,) * 4, 1000)
    assert images.read(3).size == (224, 224)


def test_a_set_says_which_image_each_is_made_from(data: Path) -> None:
    (images,) = ood(data, "fog", severities=(2, 4))

    assert isinstance(images, ComputedImageSet)
    assert images.made_from.name == "imagenet"
    assert [images.original(index) for index in range(4)] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (("all",), ALL),
        (("weather",), ["snow", "frost", "fog", "brightness"]),
        (("pixelate", "noise"), ["gaussian_noise", "shot_noise", "impulse_noise", "pixelate"]),
    ],
)
def test_groups_stand_for_their_corruptions(
    data: Path, asked: tuple[str, ...], names: list[str]
) -> None:
    assert [images.name for images in ood(data, *asked, severities=(1,))] == names


def test_corruptions_take_the_place_of_other_shifts(data: Path, lay: Callable[..., None]) -> None:
    lay(f"sketch/{FOLDER}")

    sets = ImageNetSuite(data=data, corruptions=("fog",)).evaluation(0)

    assert [images.name for images in sets.present] == ["imagenet", "fog"]
    assert sets.absent == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"corruptions": ("fogg",)}, "unknown corruption 'fogg'; did you mean 'fog'"),
        (
            {"corruptions": ("fog",), "sets": ("imagenet", "imagenet-r")},
            "got corruptions and the set imagenet-r; .* measure them in two evaluations",
        ),
        ({"corruptions": ("fog",), "severities": (1, 1)}, "severities: got 1/1; .*each once"),
        ({"corruptions": ("fog",), "severities": ()}, "severities: got none"),
    ],
)
def test_a_choice_that_cannot_be_meant_is_refused_at_once(
    values: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ImageNetSuite(data=Path("data"), **values)


def test_corruptions_are_made_from_the_validation_set(
    lay: Callable[..., None], tmp_path: Path
) -> None:
    lay(f"sketch/{FOLDER}")

    with pytest.raises(DataError, match="none of imagenet is there; looked for val"):
        evaluation_sets(ImageNetSuite(data=tmp_path, corruptions=("fog",)), 0)


def test_every_severity_is_a_version_of_an_image_of_the_validation_set(data: Path) -> None:
    (fog,) = ood(data, "fog", severities=(1, 3))
    left = ImageSubset(fog, (3, 0), "left")

    validation = [f"imagenet/{fog.made_from.identify(index)}" for index in range(2)]
    assert list(origins_of(fog)) == validation * 2
    assert list(origins_of(left)) == [validation[1], validation[0]]


def test_a_missing_package_is_named_before_any_image_is_read(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(corruptions, "version", not_installed)
    corruption_library.cache_clear()

    with pytest.raises(ConfigError, match=r"needs the package .*pip install 'cfft\[corruptions\]'"):
        ood(data, "fog", severities=(1,))
