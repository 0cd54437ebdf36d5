"""Decoded images that stay in memory: each decoded once, every batch the same, within bounds."""

from collections.abc import Sequence

import attrs
import numpy as np
import pytest
import torch
from PIL import Image

from cfft.data.augmentation import make_augmentation
from cfft.data.kept import KeptSets, bytes_of
from cfft.data.loading import Loader
from cfft.records import Preprocessing

HALF = (0.5, 0.5, 0.5)
TINY = Preprocessing(size=(2, 3), resize=4, interpolation="bicubic", mean=HALF, std=HALF)
FORK = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@attrs.frozen(eq=False)
class Counted:
    """Five images of noise, which count how often each is read."""

    name: str = "counted"
    labels: tuple[int, ...] = (0, 0, 1, 1, 1)
    classes: tuple[int, ...] = (0, 1)
    reads: list[int] = attrs.field(factory=list)

    def __len__(self) -> int:
        return 5

    def read(self, index: int) -> Image.Image:
        self.reads.append(index)
        pixels = np.random.default_rng(index).integers(0, 256, (6, 8, 3), np.uint8)
        return Image.fromarray(pixels)

    def identify(self, index: int) -> str:
        return str(index)


def loaded(loader: Loader, wanted: Sequence[Sequence[int]]) -> list[list[list[int]]]:
    return [[each.tolist() for each in batch] for batch in loader.load(wanted, wanted)]


def test_each_image_is_decoded_once_and_batches_stay_the_same() -> None:
    images = Counted()
    kept = KeptSets.within(10**6, [images], TINY)
    epochs = [[[4, 0], [2]], [[0, 1], [3, 4]], [[2, 3], [1, 0]]]
    plain = [loaded(Loader(images, TINY), epoch) for epoch in epochs]
    images.reads.clear()

    loader = Loader(images, TINY, kept=kept.of(images, TINY))

    assert [loaded(loader, epoch) for epoch in epochs] == plain
    assert sorted(images.reads) == [0, 1, 2, 3, 4]


def test_loaders_of_one_set_share_what_is_kept() -> None:
    images = Counted()
    kept = KeptSets.within(10**6, [images], TINY)
    first = loaded(Loader(images, TINY, kept=kept.of(images, TINY)), [[0, 1, 2, 3, 4]])
    images.reads.clear()

    assert loaded(Loader(images, TINY, kept=kept.of(images, TINY)), [[0, 1, 2, 3, 4]]) == first
    assert images.reads == []


def test_an_image_that_a_batch_holds_twice_is_there_twice() -> None:
    images = Counted()
    kept = KeptSets.within(10**6, [images], TINY)
    wanted = [[1, 1, 3], [3, 1, 1]]
    loader = Loader(images, TINY, kept=kept.of(images, TINY))

    assert loaded(loader, wanted) == loaded(Loader(images, TINY), wanted)
    assert loaded(loader, wanted) == loaded(Loader(images, TINY), wanted)


@FORK
def test_workers_decode_what_is_not_kept_yet() -> None:
    images = Counted()
    kept = KeptSets.within(10**6, [images], TINY)
    loader = Loader(images, TINY, 1, kept=kept.of(images, TINY))

    assert loaded(loader, [[0], [1, 2]]) == loaded(Loader(images, TINY), [[0], [1, 2]])
    assert loaded(loader, [[2, 4], [3]]) == loaded(Loader(images, TINY), [[2, 4], [3]])


def test_augmented_images_are_changed_anew_each_time() -> None:
    images = Counted()
    changed = make_augmentation("flip", TINY, 0)
    kept = KeptSets.within(10**6, [images], TINY)
    one = Loader(images, TINY, augmentation=changed, kept=kept.of(images, TINY))
    numbers = [[10, 11, 12, 13, 14]]

    list(one.load([[0, 1, 2, 3, 4]], [[0, 1, 2, 3, 4]]))
    again = [batch[0] for batch in one.load([[0, 1, 2, 3, 4]], numbers)]

    plain = Loader(images, TINY, augmentation=changed)
    ((expected, _, _),) = plain.load([[0, 1, 2, 3, 4]], numbers)
    assert torch.equal(again[0], expected)


def test_only_whole_sets_that_fit_are_kept_the_first_ones_first() -> None:
    first, second, third = Counted(), Counted(), Counted()
    each = bytes_of(first, TINY)

    kept = KeptSets.within(2 * each, [first, first, second, third], TINY)

    assert each == 5 * 3 * 2 * 3
    assert kept.sets == (first, second)
    assert kept.of(third, TINY) is None
    assert KeptSets.within(each - 1, [first], TINY).sets == ()


def test_images_for_another_size_or_interpolation_are_not_taken_for_these() -> None:
    images = Counted()
    kept = KeptSets.within(10**6, [images], TINY)

    assert kept.of(images, attrs.evolve(TINY, size=(3, 2))) is None
    assert kept.of(images, attrs.evolve(TINY, interpolation="bilinear")) is None
    assert kept.of(images, attrs.evolve(TINY, mean=(0.0, 0.0, 0.0))) is not None
