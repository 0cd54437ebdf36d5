"""Findings of `verify`: counts, absent sets, unreadable images, and copies by their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np
import pytest
from PIL import Image

from cfft import DataError, EvaluationSets, Expected, ImageFiles, ImageSet, SuiteSets
from cfft.data.images import ImageSubset, class_folders
from cfft.data.verification.verify import Verification, verify


def paint(folder: Path, first: int, images: int) -> None:
    """Save images of noise; each number is an image of its own."""
    folder.mkdir(parents=True)
    for number in range(first, first + images):
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
    assert [(s.name, s.role, s.images, s.classes) for s in found.sets] == [
        ("train", "train", 4, 2),
        ("train", "val", 4, 2),
        ("test", "test", 2, 2),
        ("snow", "ood", 2, 2),
    ]


def test_what_a_half_downloaded_set_lacks_is_named_by_class(data: Path) -> None:
    assert problems(data, snow=Expected(6, 2, per_class=3)) == (
        "set 'snow': 2 of 6 images, 4 are missing",
        "set 'snow': classes without 3 images: cat 1, dog 1",
    )


def test_missing_classes_are_named_where_the_set_should_have_all(data: Path) -> None:
    (data / "snow" / "cat" / "20.png").unlink()
    (data / "snow" / "cat").rmdir()

    assert problems(data, snow=Expected(2, 2)) == (
        "set 'snow': 1 of 2 images, 1 is missing",
        "set 'snow': 1 of 2 classes, 1 is missing",
        "set 'snow': no images of cat",
    )


def test_surplus_images_are_counted(data: Path) -> None:
    assert problems(data, test=Expected(1, 2)) == (
        "set 'test': 2 images, 1 more than the 1 expected",
    )


def test_parts_are_compared_by_the_whole_that_they_are_drawn_from(data: Path) -> None:
    @attrs.frozen
    class Drawn(Folders):
        def open(self, seed: int) -> SuiteSets:
            sets = super().open(seed)
            train, val, test = (
                ImageSubset(whole=sets.train, indices=indices, name=name)
                for name, indices in (("a", (0, 2)), ("b", (1,)), ("c", (3,)))
            )
            return SuiteSets(sets.classes, train, val, test)

    found = verify(Drawn(data, {"train": Expected(5, 2)}), 0)

    assert found.problems == ("set 'a': 4 of 5 images, 1 is missing",)


def test_a_set_that_is_expected_and_not_there_is_absent(data: Path) -> None:
    assert verify(Folders(data, {"rain": Expected(2, 2)}), 0).absent == {"rain": "it was not found"}


def test_a_suite_that_can_only_be_measured_on_says_why(data: Path) -> None:
    found = verify(OnlyMeasured(data), 0)

    assert found.problems == ()
    assert found.untrainable == "no folder 'train'"
    assert found.absent == {"fog": "a folder fog"}


def test_an_empty_class_hides_no_other_set_and_no_count(data: Path) -> None:
    (data / "snow" / "cat" / "20.png").unlink()

    found = verify(Folders(data, {"test": Expected(3, 2)}), 0)

    assert [(s.name, s.images, s.short) for s in found.sets[2:]] == [
        ("test", 2, ()),
        ("snow", 1, (("cat", 0),)),
    ]
    assert [problem.partition(";")[0] for problem in found.problems] == [
        "set 'test': 2 of 3 images, 1 is missing",
        f"set 'snow': no images in class folder {data / 'snow' / 'cat'}",
    ]


def test_damage_of_several_sets_is_reported_together(data: Path) -> None:
    (data / "test" / "cat" / "10.png").unlink()
    (data / "snow" / "wolf").mkdir()

    found = verify(Folders(data), 0)

    assert [len(s.faults) for s in found.sets] == [0, 0, 1, 1]
    assert "set 'test': no images in class folder" in found.problems[0]
    assert "set 'snow' has class 'wolf' that training lacks" in found.problems[1]


def test_a_fault_of_a_set_is_reported_once_for_all_its_parts(data: Path) -> None:
    @attrs.frozen
    class Drawn(Folders):
        def open(self, seed: int) -> SuiteSets:
            sets = super().open(seed)
            val = ImageSubset(whole=sets.train, indices=(0,), name="val")
            return attrs.evolve(sets, val=val)

    (data / "train" / "owl").mkdir()

    found = verify(Drawn(data), 0, decode=False)

    assert [(s.name, len(s.faults), s.short) for s in found.sets[:2]] == [
        ("train", 1, (("owl", 0),)),
        ("val", 0, ()),
    ]
    assert len(found.problems) == 1


def test_of_many_faults_the_first_are_told(data: Path) -> None:
    for number in range(10):
        (data / "snow" / f"bird{number}").mkdir()

    found = verify(Folders(data), 0)

    assert len(found.sets[-1].faults) == 10
    assert len(found.problems) == 9
    assert found.problems[-1] == "set 'snow': 2 more faults, which --json lists"


def test_json_keeps_the_keys_that_scripts_read(data: Path) -> None:
    found = verify(Folders(data, {"snow": Expected(2, 2)}), 0).record()

    (snow,) = (each for each in found["sets"] if each["name"] == "snow")
    assert isinstance(snow["pictures"], int)
    assert snow["expected"] == {"pictures": 2, "classes": 2, "per_class": None}
    places = [place for copies in found["copies"] for place in copies["places"]]
    assert all(place.keys() == {"set", "role", "picture", "label"} for place in places)


def test_a_set_that_cannot_be_opened_hides_no_other_one(data: Path) -> None:
    @attrs.frozen
    class Torn(Folders):
        def open(self, seed: int) -> SuiteSets:
            return attrs.evolve(super().open(seed), refused={"rain": "rain.tar is cut short"})

    found = verify(Torn(data, {"rain": Expected(2, 2)}), 0)

    assert [s.name for s in found.sets] == ["train", "train", "test", "snow"]
    assert found.problems == ("rain.tar is cut short",)
    assert found.record()["refused"] == {"rain": "rain.tar is cut short"}
    assert found.absent == {}


@attrs.frozen
class Odd(Folders):
    """Change the set in snow."""

    changed: Mapping[str, object] = attrs.field(factory=dict)

    def open(self, seed: int) -> SuiteSets:
        sets = super().open(seed)
        return attrs.evolve(sets, ood=(attrs.evolve(sets.ood[0], **self.changed),))


def test_a_set_that_contradicts_itself_is_refused_alone(data: Path) -> None:
    found = verify(Odd(data, changed={"labels": (0, 7)}), 0)

    assert [s.name for s in found.sets] == ["train", "train", "test"]
    assert found.refused["snow"].startswith("set 'snow' has 1 of 2 labels that are none of its")


def test_a_set_without_images_is_a_problem_though_nothing_is_expected(data: Path) -> None:
    found = verify(Odd(data, changed={"labels": (), "paths": ()}), 0)

    assert found.problems == ("set 'snow': it has no images",)


def test_two_sets_of_one_name_are_told(data: Path) -> None:
    found = verify(Odd(data, changed={"name": "test"}), 0)

    assert [s.images for s in found.sets] == [4, 4, 2, 2]
    assert found.problems == ("two sets are called 'test': rename one, results are kept by name",)


def test_a_suite_that_cannot_be_opened_at_all_is_reported_line_by_line(data: Path) -> None:
    @attrs.frozen
    class Gone(Folders):
        def open(self, seed: int) -> SuiteSets:
            raise DataError("no folder 'train'\nno folder 'test'")

    found = verify(Gone(data, {"rain": Expected(2, 2)}), 0)

    assert (found.sets, found.absent) == ((), {})
    assert found.problems == ("no folder 'train'", "no folder 'test'")


def test_every_unreadable_image_is_listed(data: Path) -> None:
    (data / "test" / "cat" / "10.png").write_bytes(b"no image")
    (data / "snow" / "dog" / "25.png").write_bytes(b"")

    found = verify(Folders(data), 0)

    assert [image.path for image in found.unreadable] == [
        str(data / "test" / "cat" / "10.png"),
        str(data / "snow" / "dog" / "25.png"),
    ]
    assert found.problems == ("2 images cannot be read",)


def places(found: Verification) -> list[list[str]]:
    return [[str(place) for place in copies.places] for copies in found.leaks]


def test_a_training_image_in_a_test_set_is_found_under_another_name_and_format(
    data: Path,
) -> None:
    Image.open(data / "train" / "dog" / "5.png").save(data / "snow" / "cat" / "new.bmp")

    found = verify(Folders(data), 0)

    assert places(found) == [["train (dog/5.png)", "snow (cat/new.bmp)"]]
    assert found.problems == ("1 image is shared by sets that must be disjoint",)


def test_a_test_image_in_an_ood_set_is_found(data: Path) -> None:
    Image.open(data / "test" / "dog" / "15.png").save(data / "snow" / "dog" / "again.png")

    assert places(verify(Folders(data), 0)) == [["test (dog/15.png)", "snow (dog/again.png)"]]


def test_an_image_twice_in_one_set_is_reported_but_no_problem(data: Path) -> None:
    Image.open(data / "snow" / "dog" / "25.png").save(data / "snow" / "dog" / "again.png")

    found = verify(Folders(data), 0)

    assert [copies.is_leak for copies in found.copies] == [False]
    assert found.problems == ()


def test_an_image_with_two_labels_is_listed_apart(data: Path) -> None:
    Image.open(data / "snow" / "dog" / "25.png").save(data / "snow" / "cat" / "again.png")

    found = verify(Folders(data), 0)

    assert [[place.label for place in each.places] for each in found.contradictions] == [[0, 1]]
    assert found.problems == ()


def test_problems_of_a_set_include_its_images(data: Path) -> None:
    Image.open(data / "train" / "dog" / "5.png").save(data / "snow" / "cat" / "new.bmp")
    (data / "snow" / "dog" / "25.png").write_bytes(b"no image")

    found = verify(Folders(data), 0)

    assert {each.name: found.problems_of(each) for each in found.sets} == {
        "train": 1,
        "test": 0,
        "snow": 2,
    }


def test_without_decoding_only_counts_are_compared(data: Path) -> None:
    (data / "test" / "cat" / "10.png").write_bytes(b"no image")

    found = verify(Folders(data), 0, decode=False)

    assert found.problems == ()
    assert not found.decoded


def test_a_set_with_a_misspelt_member_is_refused_in_one_line(data: Path) -> None:
    @attrs.frozen
    class Misspelt(ImageFiles):
        count_as: Mapping[int, int] = attrs.field(factory=dict)

    class Suite(Folders):
        def open(self, seed: int) -> SuiteSets:
            sets = super().open(seed)
            (snow,) = sets.ood
            fields = attrs.asdict(snow, recurse=False)
            return attrs.evolve(sets, ood=(Misspelt(**fields),))

    found = verify(Suite(data), 0)

    (problem,) = found.problems
    assert problem.startswith("set 'snow' has an attribute 'count_as', which cfft does not read")
    assert [each.name for each in found.sets] == ["train", "train", "test"]


def test_images_made_from_others_are_not_read_again(data: Path) -> None:
    @attrs.frozen(eq=False)
    class Corrupted:
        made_from: ImageSet
        name: str = "noise"
        classes: tuple[int, ...] = (0, 1)
        labels: tuple[int, ...] = (0, 1)

        def __len__(self) -> int:
            return 2

        def read(self, index: int) -> Image.Image:
            raise DataError("read")

        def identify(self, index: int) -> str:
            return str(index)

        def original(self, index: int) -> int:
            return index

    @attrs.frozen
    class Noisy(Folders):
        def open(self, seed: int) -> SuiteSets:
            sets = super().open(seed)
            return attrs.evolve(sets, ood=(Corrupted(sets.test),))

    found = verify(Noisy(data), 0)

    assert found.problems == ()
    assert found.sets[-1].images == 2
