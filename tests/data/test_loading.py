"""Loading: the transform of the model's library, an order that can be resumed, clear failures."""

import os
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from PIL import Image

from cfft.data.images import ImageFiles, ImageSubset, class_folders
from cfft.data.loading import Loader, batches, epoch_order, to_batch
from cfft.data.suite import ImageSet
from cfft.data.transform import image_transform
from cfft.errors import ConfigError, DataError
from cfft.records import Preprocessing

HALF = (0.5, 0.5, 0.5)
TINY = Preprocessing(size=(2, 3), resize=4, interpolation="bicubic", mean=HALF, std=HALF)
FORK = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def images(tmp_path: Path) -> ImageFiles:
    """Five images of one grey level each: 0, 1, 2 of class a and 3, 4 of class b."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for level, folder in enumerate("aaabb"):
        Image.new("RGB", (8, 6), (level, level, level)).save(tmp_path / folder / f"{level}.png")
    return class_folders(tmp_path, name="levels")


@pytest.mark.parametrize("size", [(301, 227), (227, 301), (224, 224), (50, 77)])
def test_the_transform_is_open_clips(size: tuple[int, int]) -> None:
    import open_clip

    theirs = open_clip.image_transform(
        224, is_train=False, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bicubic"
    )
    ours = image_transform(Preprocessing((224, 224), 224, "bicubic", HALF, HALF))

    torch.testing.assert_close(ours(noise(*size)) / 255, theirs(noise(*size)), rtol=0, atol=0)


@pytest.mark.parametrize("size", [(301, 227), (227, 301), (227, 227), (50, 77)])
def test_the_transform_is_timms(size: tuple[int, int]) -> None:
    from timm.data import create_transform

    theirs = create_transform(
        224, interpolation="bicubic", mean=(0, 0, 0), std=(1, 1, 1), crop_pct=0.9
    )
    ours = image_transform(Preprocessing((224, 224), 248, "bicubic", HALF, HALF))

    torch.testing.assert_close(ours(noise(*size)) / 255, theirs(noise(*size)), rtol=0, atol=0)


@attrs.frozen(eq=False)
class CutOut:
    """One image of 224 x 224 that has been cut out already."""

    name: str = "cut out"
    cropped: bool = True
    labels: tuple[int, ...] = (0,)
    classes: tuple[int, ...] = (0,)

    def __len__(self) -> int:
        return 1

    def read(self, index: int) -> Image.Image:
        return noise(224, 224)

    def identify(self, index: int) -> str:
        return "0"


@pytest.mark.parametrize("part", [CutOut(), ImageSubset(CutOut(), (0,), "part")])
def test_nothing_is_cut_off_images_that_are_cut_out_already(part: ImageSet) -> None:
    ((images, _, _),) = Loader(part, Preprocessing((224, 224), 248, "bicubic", HALF, HALF)).load(
        [[0]]
    )

    assert np.array_equal(images[0].permute(1, 2, 0).numpy(), np.asarray(noise(224, 224)))


def test_images_that_are_cut_out_fill_a_model_of_another_size() -> None:
    ((images, _, _),) = Loader(CutOut(), Preprocessing((16, 24), 20, "bicubic", HALF, HALF)).load(
        [[0]]
    )
    whole = np.asarray(noise(224, 224).resize((24, 24), Image.Resampling.BICUBIC))

    assert np.array_equal(images[0].permute(1, 2, 0).numpy(), whole[4:20])


def test_an_unknown_interpolation_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown interpolation 'cubic'.*bicubic"):
        image_transform(Preprocessing((2, 2), 2, "cubic", HALF, HALF))


def test_bytes_become_a_batch_in_0_to_1() -> None:
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)

    batch = to_batch(images, torch.tensor([4]))

    torch.testing.assert_close(batch.images.flatten(), torch.tensor([0.0, 0.2, 1.0]))


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own() -> None:
    first, second = epoch_order(100, seed=0, epoch=0), epoch_order(100, seed=0, epoch=1)

    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    assert first == epoch_order(100, seed=0, epoch=0)


@pytest.mark.parametrize(
    ("drop_last", "smallest", "expected"),
    [
        (False, 1, [[4, 3], [2, 1], [0]]),
        (False, 2, [[4, 3], [2, 1]]),
        (True, 1, [[4, 3], [2, 1]]),
    ],
)
def test_the_last_batch_is_kept_or_left_out(
    drop_last: bool, smallest: int, expected: list[list[int]]
) -> None:
    assert batches([4, 3, 2, 1, 0], 2, drop_last, smallest) == expected


@FORK
@pytest.mark.parametrize("workers", [0, 1])
def test_batches_come_in_the_order_asked_for(images: ImageFiles, workers: int) -> None:
    loader = Loader(images, TINY, workers)

    (images, labels, indices), (last, _, _) = loader.load([[4, 0], [2]])

    assert images.dtype == torch.uint8
    assert images.shape == (2, 3, 2, 3)
    assert images[:, 0, 0, 0].tolist() == [4, 0]
    assert (labels.tolist(), indices.tolist()) == ([1, 0], [4, 0])
    assert last.unique().tolist() == [2]


@FORK
@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_can_stop_early_and_load_again(images: ImageFiles, workers: int) -> None:
    loader = Loader(images, TINY, workers)
    next(loader.load([[0], [1], [2], [3]]))

    loaded = [indices.tolist() for _, _, indices in loader.load([[4], [3]])]

    assert loaded == [[4], [3]]


@FORK
@pytest.mark.parametrize("workers", [0, 1])
def test_loading_leaves_global_randomness_alone(images: ImageFiles, workers: int) -> None:
    before = torch.get_rng_state()

    list(Loader(images, TINY, workers).load([[0, 1]]))

    assert torch.equal(torch.get_rng_state(), before)


@FORK
@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_breaks_during_training_is_named(images: ImageFiles, workers: int) -> None:
    (images.root / "b" / "3.png").write_bytes(b"")

    with pytest.raises(DataError, match=r"^\S+/b/3\.png: the file is empty"):
        list(Loader(images, TINY, workers).load([[0], [2, 3]]))


class Deadly(ImageFiles):
    """Die of reading, as a worker does that the system kills for want of memory."""

    def read(self, index: int) -> Image.Image:
        os._exit(9)


@FORK
def test_a_dead_worker_is_reported_with_the_image_it_was_at(images: ImageFiles) -> None:
    deadly = Deadly("d", images.root, images.paths, images.labels, (0, 1), ("a", "b"))

    with pytest.raises(DataError, match=r"died at or after b/3\.png.*--workers"):
        list(Loader(deadly, TINY, workers=1).load([[3, 4]]))
