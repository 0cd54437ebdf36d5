"""The suite `imagenet` on folders laid out as the archives unpack: labels, label spaces, errors."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from cfft import ConfigError, DataError, ImageSet, Suite
from cfft.data.consistency import alike_names
from cfft.data.sets import evaluation_sets, training_sets
from cfft_suites.imagenet.facts import facts
from cfft_suites.imagenet.layouts import PLACES
from cfft_suites.imagenet.suite import ImageNetSuite

Lay = Callable[..., None]
TENCH, GOLDFISH, WHITE_SHARK, HEN = "n01440764", "n01443537", "n01484850", "n01514859"


def labelled(images: ImageSet) -> dict[str, int]:
    return {images.identify(i): label for i, label in enumerate(images.labels)}


def test_two_names_occur_twice_and_stay_four_classes(lay: Lay, tmp_path: Path) -> None:
    twice = ["n03773504", "n04008634", "n04355933", "n04356056"]
    lay(*(f"val/{folder}" for folder in twice))

    sets = ImageNetSuite(data=tmp_path).evaluation(0)

    assert sets.test is not None
    assert list(sets.test.labels) == [657, 744, 836, 837]
    assert [sets.classes[label] for label in sets.test.labels] == [
        *("missile", "missile"),
        *("sunglasses", "sunglasses"),
    ]
    assert [name for name, count in Counter(sets.classes).items() if count > 1] == [
        *("missile", "sunglasses"),
    ]
    assert alike_names(sets.classes, ImageNetSuite.shared_names) == []  # no warning each time


@pytest.mark.parametrize("place", ["val", "imagenet/val", "."])
def test_the_validation_set_is_found_with_all_classes_to_choose_from(
    lay: Lay, tmp_path: Path, place: str
) -> None:
    lay(f"{place}/{TENCH}", f"{place}/{GOLDFISH}", f"{place}/{HEN}")

    suite = ImageNetSuite(data=tmp_path)
    sets = suite.evaluation(0)

    assert isinstance(suite, Suite)
    assert sets.test is not None
    assert list(labelled(sets.test).values()) == [0, 1, 8]
    assert sets.test.identify(2) == f"{HEN}/0.png"
    assert tuple(sets.test.classes) == tuple(range(1000))
    assert sets.ood == ()


def test_sets_that_are_not_there_are_named_with_what_was_looked_for(
    lay: Lay, tmp_path: Path
) -> None:
    lay(f"val/{TENCH}", f"sketch/{TENCH}")

    sets = ImageNetSuite(data=tmp_path).evaluation(0)

    assert [images.name for images in sets.present] == ["imagenet", "imagenet-sketch"]
    assert list(sets.absent) == ["imagenet-v2", "imagenet-r", "objectnet", "imagenet-a"]
    assert sets.absent["objectnet"] == (
        f"looked for objectnet-1.0/images or objectnet/images in {tmp_path}"
    )


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("imagenet-v2", "imagenetv2-matched-frequency-format-val"),
        ("imagenet-v2-threshold", "imagenetv2-threshold0.7-format-val"),
        ("imagenet-v2-top", "imagenetv2-top-images-format-val"),
    ],
)
def test_folders_of_v2_are_numbers_and_not_text(
    lay: Lay, tmp_path: Path, name: str, folder: str
) -> None:
    lay(*(f"{folder}/{number}" for number in (2, 10, 100, 999)))

    (images,) = ImageNetSuite(data=tmp_path, sets=(name,)).evaluation(0).ood

    assert labelled(images) == {"2/0.png": 2, "10/0.png": 10, "100/0.png": 100, "999/0.png": 999}
    assert len(images.classes) == 1000


@pytest.mark.parametrize("variant", ["imagenet-v2", "imagenet-v2-threshold", "imagenet-v2-top"])
def test_folders_of_v2_may_be_wordnet_ids(lay: Lay, tmp_path: Path, variant: str) -> None:
    folder = PLACES[variant][0]
    lay(f"{folder}/{HEN}", f"{folder}/{GOLDFISH}", f"{folder}/n15075141")

    (images,) = evaluation_sets(ImageNetSuite(data=tmp_path, sets=(variant,)), 0).ood

    assert labelled(images) == {
        f"{GOLDFISH}/0.png": 1,
        f"{HEN}/0.png": 8,
        "n15075141/0.png": 999,
    }
    assert len(images.classes) == 1000


def test_folders_of_v2_under_both_names_are_refused(lay: Lay, tmp_path: Path) -> None:
    folder = PLACES["imagenet-v2"][0]
    lay(f"{folder}/0", f"{folder}/1", f"{folder}/{HEN}")

    with pytest.raises(DataError, match=rf"'imagenet-v2': .*'{HEN}' .hen. is no class of this set"):
        evaluation_sets(ImageNetSuite(data=tmp_path), 0)


@pytest.mark.parametrize(
    ("name", "folder", "index", "classes"),
    [
        ("imagenet-r", GOLDFISH, 1, facts().imagenet_r),
        ("imagenet-a", "n01498041", 6, facts().imagenet_a),
    ],
)
def test_r_and_a_are_judged_among_their_own_200_classes(
    lay: Lay, tmp_path: Path, name: str, folder: str, index: int, classes: tuple[int, ...]
) -> None:
    lay(f"{name}/{folder}")

    (images,) = ImageNetSuite(data=tmp_path, sets=(name,)).evaluation(0).ood

    assert labelled(images) == {f"{folder}/0.png": index}
    assert (tuple(images.classes), len(classes)) == (classes, 200)


def test_sketch_has_all_classes(lay: Lay, tmp_path: Path) -> None:
    lay(f"sketch/{WHITE_SHARK}")

    (images,) = ImageNetSuite(data=tmp_path).evaluation(0).ood

    assert labelled(images) == {f"{WHITE_SHARK}/0.png": 2}
    assert len(images.classes) == 1000


@pytest.mark.parametrize("place", ["sketch", "imagenet-sketch", "imagenet-sketch/sketch"])
def test_sketch_is_found_in_a_folder_of_its_own_too(lay: Lay, tmp_path: Path, place: str) -> None:
    lay(f"{place}/{WHITE_SHARK}")

    (images,) = evaluation_sets(ImageNetSuite(data=tmp_path), 0).ood

    assert (images.name, labelled(images)) == ("imagenet-sketch", {f"{WHITE_SHARK}/0.png": 2})


def test_one_variant_of_v2_counts_unless_others_are_asked_for(lay: Lay, tmp_path: Path) -> None:
    lay("imagenetv2-matched-frequency-format-val/0", "imagenetv2-top-images-format-val/0")

    sets = ImageNetSuite(data=tmp_path).evaluation(0)

    assert [images.name for images in sets.ood] == ["imagenet-v2"]


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("val/n01440765", r"'imagenet': .*unknown class folder 'n01440765'; did you mean"),
        ("imagenet-r/n01440764", "'n01440764' .tench. is no class of this set; its 200 class fold"),
        ("sketch/sketches", "'imagenet-sketch': .*unknown class folder 'sketches'"),
        ("imagenetv2-matched-frequency-format-val/1000", "'1000'.*folders are among 0 to 999; rem"),
        ("imagenetv2-matched-frequency-format-val/0001", "folder '0001'; did you mean '1'.;"),
        ("objectnet-1.0/images/air_freshener", "none of the folders in .*images is one of its"),
    ],
)
def test_a_folder_that_is_no_class_of_the_set_is_named(
    lay: Lay, tmp_path: Path, folder: str, message: str
) -> None:
    lay(folder)

    with pytest.raises(DataError, match=message):
        evaluation_sets(ImageNetSuite(data=tmp_path), 0)


def test_an_empty_class_folder_is_named(lay: Lay, tmp_path: Path) -> None:
    lay(f"imagenet-r/{GOLDFISH}", images=0)

    with pytest.raises(DataError, match=f"no images in class folder .*/imagenet-r/{GOLDFISH}"):
        evaluation_sets(ImageNetSuite(data=tmp_path), 0)


def test_a_set_that_was_asked_for_must_be_there(lay: Lay, tmp_path: Path) -> None:
    lay(f"val/{TENCH}")
    suite = ImageNetSuite(data=tmp_path, sets=("imagenet", "imagenet-r", "imagenet-a"))

    with pytest.raises(DataError, match="lacks imagenet-r, imagenet-a; looked for imagenet-r, im"):
        evaluation_sets(suite, 0)


def test_a_directory_without_any_set_says_what_was_looked_for(lay: Lay, tmp_path: Path) -> None:
    lay("photo/cat")

    with pytest.raises(DataError, match=r"none of imagenet, .* is there; looked for val, imagenet"):
        evaluation_sets(ImageNetSuite(data=tmp_path), 0)


@pytest.mark.parametrize("folder", ["train", "imagenet-r", "sketch"])
def test_another_set_is_not_taken_for_the_validation_set(
    lay: Lay, tmp_path: Path, folder: str
) -> None:
    lay(f"{folder}/{GOLDFISH}")

    with pytest.raises(DataError, match=f"{folder} is a single set: give the directory that hold"):
        evaluation_sets(ImageNetSuite(data=tmp_path / folder), 0)


@pytest.mark.parametrize(
    ("folders", "images", "message"),
    [
        ([GOLDFISH, HEN], 1, "all of them are among the 200 of imagenet-r"),
        (["n01498041", "n01819313"], 1, "all of them are among the 200 of imagenet-a"),
        ([TENCH], 51, "one holds 51 images, more than the 50 of ImageNet's validation set"),
    ],
)
def test_folders_like_those_of_another_set_are_the_validation_set_only_on_request(
    lay: Lay, tmp_path: Path, folders: list[str], images: int, message: str
) -> None:
    lay(*(f"renditions/{folder}" for folder in folders), images=images)
    data = tmp_path / "renditions"

    asked = ImageNetSuite(data=data, sets=("imagenet",)).evaluation(0)

    assert asked.test is not None
    assert len(asked.test) == len(folders) * images
    with pytest.raises(DataError, match=f"{message}: name the .* or say --sets imagenet if this"):
        evaluation_sets(ImageNetSuite(data=data), 0)


def test_class_folders_may_lie_beside_other_sets(lay: Lay, tmp_path: Path) -> None:
    lay(TENCH, f"imagenet-r/{GOLDFISH}", "lists")

    sets = evaluation_sets(ImageNetSuite(data=tmp_path), 0)

    assert [images.name for images in sets.present] == ["imagenet", "imagenet-r"]
    assert [labelled(images) for images in sets.present] == [
        *({f"{TENCH}/0.png": 0}, {f"{GOLDFISH}/0.png": 1}),
    ]


def test_a_folder_that_looks_like_a_class_and_is_none_is_named(lay: Lay, tmp_path: Path) -> None:
    lay(TENCH, "n01440765")

    with pytest.raises(DataError, match="unknown class folder 'n01440765'; did you mean"):
        evaluation_sets(ImageNetSuite(data=tmp_path), 0)


def test_folders_are_listed_once_however_many_seeds_ask(lay: Lay, tmp_path: Path) -> None:
    lay(f"val/{TENCH}", f"sketch/{TENCH}")
    suite = ImageNetSuite(data=tmp_path)

    first, second = (suite.evaluation(seed) for seed in (0, 1))

    assert [one is other for one, other in zip(first.present, second.present, strict=True)] == [
        *(True, True),
    ]


def test_an_unknown_set_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match=r"imagenet.sets: unknown set 'imagenet-v3'; did you mea"):
        ImageNetSuite(data=Path("data"), sets=("imagenet-v3",))


def test_training_holds_out_the_asked_number_of_images_of_all_classes(
    lay: Lay, tmp_path: Path
) -> None:
    lay(f"val/{TENCH}")
    lay(*(f"train/{folder}" for folder in facts().folders), images=3)

    sets = ImageNetSuite(data=tmp_path, val=1024).open(seed=0)

    assert (len(sets.train), len(sets.val), len(sets.test)) == (1976, 1024, 1)
    assert set(Counter(sets.val.labels).values()) == {1, 2}
    assert set(labelled(sets.train)).isdisjoint(labelled(sets.val))
    assert set(sets.train.labels) == set(range(1000))


def test_without_training_images_nobody_trains(lay: Lay, tmp_path: Path) -> None:
    lay(f"val/{TENCH}")

    with pytest.raises(DataError, match=r"no training images in .*looked for train, imagenet/t"):
        training_sets(ImageNetSuite(data=tmp_path), 0)


def test_training_takes_all_classes(lay: Lay, tmp_path: Path) -> None:
    lay(f"val/{TENCH}", f"train/{TENCH}", f"train/{HEN}")

    with pytest.raises(DataError, match=f"lacks 998 of ImageNet's 1000 classes.*{GOLDFISH}"):
        training_sets(ImageNetSuite(data=tmp_path), 0)


def test_training_takes_an_id_test_set(lay: Lay, tmp_path: Path) -> None:
    lay(f"sketch/{TENCH}")

    with pytest.raises(DataError, match=r"trains with an ID test set: give .*/val"):
        training_sets(ImageNetSuite(data=tmp_path), 0)


@pytest.mark.realdata
@pytest.mark.skipif("CFFT_REALDATA" not in os.environ, reason="CFFT_REALDATA names no folder")
def test_real_images_get_the_index_of_their_class_among_1000() -> None:
    data = Path(os.environ["CFFT_REALDATA"]) / "imagenet_sample"

    test = ImageNetSuite(data=data).evaluation(0).test

    assert test is not None
    assert (len(test), len(set(test.labels)), len(test.classes)) == (200, 200, 1000)
    assert [facts().folders[label] for label in test.labels] == sorted(os.listdir(data))
    assert test.read(0).mode == "RGB"
