"""What `verify` finds: counts, absent sets, unreadable pictures, and copies by their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np
import pytest
from PIL import Image

from cfft import DataError, EvaluationSets, Expected, PictureSet, SuiteSets
from cfft.data.pictures import PictureSubset, class_folders
from cfft.data.verify import Verification, verify


def paint(folder: Path, first: int, pictures: int) -> None:
    """Save pictures of noise; each number is a picture of its own."""
    folder.mkdir(parents=True)
    for number in range(first, first + pictures):
        pixels = np.random.default_rng(number).integers(0, 256, (4, 6, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two cats and two dogs to train on; one of each to test on, and in snow."""
    for number, part in enumerate(("train", "test", "snow")):
        paint(tmp_path / part / "cat", 10 * number, 2 if part == "train" else 1)
        paint(tmp_path / part / "dog", 10 * number + 5, 2 if part == "train" else 1)
    return tmp_path


@attrs.frozen
class Folders:
    """Train on DATA/train, test on DATA/test and DATA/snow."""

    data: Path
    wanted: Mapping[str, Expected] = attrs.field(factory=dict)

    def expected(self) -> Mapping[str, Expected]:
        return self.wanted

    def open(self, seed: int) -> SuiteSets:
        train = class_folders(self.data / "train", "train")
        test, snow = (
            class_folders(self.data / name, name, train.class_names) for name in ("test", "snow")
        )
        return SuiteSets(train.class_names, train, train, test, (snow,))


@attrs.frozen
class OnlyMeasured(Folders):
    """Measure on one set; fog is absent, and nothing is there to train on."""

    def open(self, seed: int) -> SuiteSets:
        raise DataError("no folder 'train'")

    def evaluation(self, seed: int) -> EvaluationSets:
        snow = class_folders(self.data / "snow", "snow")
        return EvaluationSets(snow.class_names, None, (snow,), {"fog": "a folder fog"})


def problems(data: Path, **wanted: Expected) -> tuple[str, ...]:
    return verify(Folders(data, wanted), 0).problems


def test_a_complete_suite_has_no_problems(data: Path) -> None:
    found = verify(Folders(data, {"snow": Expected(2, 2, per_class=1)}), 0)

    assert found.problems == ()
    assert found.absent == {}
    assert [(s.name, s.role, s.pictures, s.classes) for s in found.sets] == [
        ("train", "train", 4, 2),
        ("train", "val", 4, 2),
        ("test", "test", 2, 2),
        ("snow", "ood", 2, 2),
    ]


def test_what_a_half_downloaded_set_lacks_is_named_by_class(data: Path) -> None:
    assert problems(data, snow=Expected(6, 2, per_class=3)) == (
        "set 'snow': 2 of 6 pictures, 4 are missing",
        "set 'snow': classes without 3 pictures: cat 1, dog 1",
    )


def test_missing_classes_are_named_where_the_set_should_have_all(data: Path) -> None:
    (data / "snow" / "cat" / "20.png").unlink()
    (data / "snow" / "cat").rmdir()

    assert problems(data, snow=Expected(2, 2)) == (
        "set 'snow': 1 of 2 pictures, 1 are missing",
        "set 'snow': 1 of 2 classes, 1 are missing",
        "set 'snow': no pictures of cat",
    )


def test_surplus_pictures_are_counted(data: Path) -> None:
    assert problems(data, test=Expected(1, 2)) == (
        "set 'test': 2 pictures, 1 more than the 1 expected",
    )


def test_parts_are_compared_by_the_whole_that_they_are_drawn_from(data: Path) -> None:
    @attrs.frozen
    class Drawn(Folders):
        def open(self, seed: int) -> SuiteSets:
            sets = super().open(seed)
            train, val, test = (
                PictureSubset(whole=sets.train, indices=indices, name=name)
                for name, indices in (("a", (0, 2)), ("b", (1,)), ("c", (3,)))
            )
            return SuiteSets(sets.classes, train, val, test)

    found = verify(Drawn(data, {"train": Expected(5, 2)}), 0)

    assert found.problems == ("set 'a': 4 of 5 pictures, 1 are missing",)


def test_a_set_that_is_expected_and_not_there_is_absent(data: Path) -> None:
    assert verify(Folders(data, {"rain": Expected(2, 2)}), 0).absent == {"rain": "it was not found"}


def test_a_suite_that_can_only_be_measured_on_says_why(data: Path) -> None:
    found = verify(OnlyMeasured(data), 0)

    assert found.problems == ()
    assert found.untrainable == "no folder 'train'"
    assert found.absent == {"fog": "a folder fog"}


def test_sets_that_cannot_be_opened_are_reported_line_by_line(data: Path) -> None:
    (data / "snow" / "cat" / "20.png").unlink()
    (data / "snow" / "dog" / "25.png").unlink()

    found = verify(Folders(data), 0)

    assert found.sets == ()
    assert [line.partition(":")[0] for line in found.problems] == ["set 'snow'", "set 'snow'"]


def test_every_unreadable_picture_is_listed(data: Path) -> None:
    (data / "test" / "cat" / "10.png").write_bytes(b"no picture")
    (data / "snow" / "dog" / "25.png").write_bytes(b"")

    found = verify(Folders(data), 0)

    assert [picture.path for picture in found.unreadable] == [
        str(data / "test" / "cat" / "10.png"),
        str(data / "snow" / "dog" / "25.png"),
    ]
    assert found.problems == ("2 pictures that cannot be read",)


def places(found: Verification) -> list[list[str]]:
    return [[str(place) for place in copies.places] for copies in found.leaks]


def test_a_training_picture_in_a_test_set_is_found_under_another_name_and_format(
    data: Path,
) -> None:
    Image.open(data / "train" / "dog" / "5.png").save(data / "snow" / "cat" / "new.bmp")

    found = verify(Folders(data), 0)

    assert places(found) == [["train: dog/5.png", "snow: cat/new.bmp"]]
    assert found.problems == ("1 picture that sets share which must not",)


def test_a_test_picture_in_an_ood_set_is_found(data: Path) -> None:
    Image.open(data / "test" / "dog" / "15.png").save(data / "snow" / "dog" / "again.png")

    assert places(verify(Folders(data), 0)) == [["test: dog/15.png", "snow: dog/again.png"]]


def test_a_picture_twice_in_one_set_is_told_and_no_problem(data: Path) -> None:
    Image.open(data / "snow" / "dog" / "25.png").save(data / "snow" / "dog" / "again.png")

    found = verify(Folders(data), 0)

    assert [copies.is_leak for copies in found.copies] == [False]
    assert found.problems == ()


def test_without_decoding_only_counts_are_compared(data: Path) -> None:
    (data / "test" / "cat" / "10.png").write_bytes(b"no picture")

    found = verify(Folders(data), 0, decode=False)

    assert found.problems == ()
    assert not found.decoded


def test_pictures_made_from_others_are_not_read_again(data: Path) -> None:
    @attrs.frozen(eq=False)
    class Corrupted:
        made_from: PictureSet
        name: str = "noise"
        classes: tuple[int, ...] = (0, 1)
        labels: tuple[int, ...] = (0, 1)

        def __len__(self) -> int:
            return 2

        def read(self, index: int) -> Image.Image:
            raise DataError("read")

        def identify(self, index: int) -> str:
            return str(index)

    @attrs.frozen
    class Noisy(Folders):
        def open(self, seed: int) -> SuiteSets:
            sets = super().open(seed)
            return attrs.evolve(sets, ood=(Corrupted(sets.test),))

    found = verify(Noisy(data), 0)

    assert found.problems == ()
    assert found.sets[-1].pictures == 2
