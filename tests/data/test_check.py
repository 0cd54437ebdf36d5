"""Unreadable images: of sets that are computed from others, and of classes without images."""

from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest
from PIL import Image

from cfft.data.check import check_suite, find_unreadable
from cfft.data.images import ImageFiles, class_folders
from cfft.data.suite import ImageSet, SuiteSets
from cfft.errors import DataError


@attrs.frozen(eq=False)
class Twice:
    """Images of another set, each one twice; whoever reads one has asked for too much."""

    made_from: ImageSet
    name: str = "twice"

    @property
    def labels(self) -> Sequence[int]:
        return [*self.made_from.labels, *self.made_from.labels]

    @property
    def classes(self) -> Sequence[int]:
        return self.made_from.classes

    def __len__(self) -> int:
        return 2 * len(self.made_from)

    def read(self, index: int) -> Image.Image:
        raise AssertionError("computed images are as good as those that they are made from")

    def identify(self, index: int) -> str:
        return f"{index // len(self.made_from)}/{self.made_from.identify(self.original(index))}"

    def original(self, index: int) -> int:
        return index % len(self.made_from)


@pytest.fixture
def pets(tmp_path: Path) -> ImageFiles:
    """A cat, a cat that cannot be read, and a dog."""
    for file in ("cat/a.png", "dog/c.png"):
        (tmp_path / file).parent.mkdir()
        Image.new("RGB", (4, 3)).save(tmp_path / file)
    (tmp_path / "cat" / "b.png").write_bytes(b"no image")
    return class_folders(tmp_path, "pets")


def suite_of(train: ImageSet, *ood: ImageSet) -> SuiteSets:
    return SuiteSets(("cat", "dog", "owl"), train, train, train, ood)


def test_computed_images_are_not_decoded(pets: ImageFiles) -> None:
    seen: list[int] = []

    find_unreadable([pets, Twice(pets), Twice(Twice(pets))], seen.append)

    assert seen == [3]


def test_damage_that_computed_sets_share_is_reported_once(pets: ImageFiles) -> None:
    with pytest.raises(DataError) as caught:
        check_suite(suite_of(pets, Twice(pets)))

    assert str(caught.value).count("cat/b.png") == 1
    assert "unreadable images: 1" in str(caught.value)


def test_what_is_made_from_an_unreadable_image_is_left_out_too(pets: ImageFiles) -> None:
    whole = check_suite(suite_of(pets, Twice(pets)), skip=True)
    checked, found = whole.sets, whole.unreadable

    (twice,) = checked.ood
    assert [twice.identify(index) for index in range(len(twice))] == [
        *("0/cat/a.png", "0/dog/c.png", "1/cat/a.png", "1/dog/c.png"),
    ]
    assert [image.record()["set"] for image in found] == ["pets"]


def test_a_computed_set_is_checked_where_its_origin_is_no_set_of_the_suite(
    pets: ImageFiles,
) -> None:
    (found,) = find_unreadable([Twice(pets)])

    assert found.path == str(pets.root / "cat" / "b.png")


def test_a_class_that_training_never_had_is_not_lost(pets: ImageFiles) -> None:
    with_owl = attrs.evolve(pets, classes=(0, 1, 2))

    checked = check_suite(suite_of(with_owl), skip=True).sets

    assert len(checked.train) == 2


def test_a_class_that_loses_its_last_image_is_named(pets: ImageFiles) -> None:
    (pets.root / "dog" / "c.png").write_bytes(b"no image")

    with pytest.raises(DataError, match=r"no readable image is left of class 'dog'$"):
        check_suite(suite_of(attrs.evolve(pets, classes=(0, 1, 2))), skip=True)
