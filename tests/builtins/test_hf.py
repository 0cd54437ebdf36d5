"""The suite `hf` on datasets that the library itself writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants
from PIL import Image

from cfft import ConfigError, DataError
from cfft.data.sets import training_sets
from cfft.testing import check_strategy
from cfft_suites.hf.images import Columns, hf_images
from cfft_suites.hf.suite import HfSuite

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask no server."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def image(number: int) -> Image.Image:
    pixels = np.random.default_rng(number).integers(0, 256, (3, 5, 3), np.uint8)
    return Image.fromarray(pixels)


def split(labels: list[Any], label: Any, first: int = 0) -> Any:
    """Return rows with an image, a label of type `label` and a note."""
    features = {"image": datasets.Image(), "animal": label, "note": datasets.Value("string")}
    numbers = range(first, first + len(labels))
    rows = {
        "image": [image(number) for number in numbers],
        "animal": labels,
        "note": [f"number {number}" for number in numbers],
    }
    return datasets.Dataset.from_dict(rows, features=datasets.Features(features))


def save(folder: Path, **splits: Any) -> Path:
    datasets.DatasetDict(splits).save_to_disk(folder)
    return folder


CAT_DOG = datasets.ClassLabel(names=["cat", "dog"])
WORDS, NUMBERS = datasets.Value("string"), datasets.Value("int64")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ten cats and ten dogs, four to test on; sketches with classes in another order."""
    other = datasets.ClassLabel(names=["owl", "dog", "cat"])
    save(tmp_path / "sketch", drawn=split([1, 1, 2], other, 40))
    train, test = split([0, 1] * 10, CAT_DOG), split([0, 1, 1, 0], CAT_DOG, 20)
    return save(tmp_path / "photo", train=train, held=test)


def test_datasets_keep_the_rules_of_suites(data: Path) -> None:
    check_strategy(HfSuite, {"data": data, "ood": "sketch=../sketch:drawn"})


def test_columns_are_found_by_type_and_images_read_row_by_row(data: Path) -> None:
    sets = HfSuite(data=data, test_split="held").open(0)

    assert sets.classes == ("cat", "dog")
    assert [len(each) for each in (sets.train, sets.val, sets.test)] == [18, 2, 4]
    assert sets.test.labels == (0, 1, 1, 0)
    assert sets.test.identify(3) == "row-3"
    assert np.array_equal(np.asarray(sets.test.read(3)), np.asarray(image(23)))


def test_another_dataset_is_matched_by_class_names_whatever_their_order(data: Path) -> None:
    ood = HfSuite(data=data, ood="held=held; sketch=../sketch:drawn").open(0).ood

    assert [(each.name, each.labels, each.classes) for each in ood] == [
        ("held", (0, 1, 1, 0), (0, 1)),
        ("sketch", (1, 1, 0), (0, 1)),
    ]


def test_a_class_that_training_lacks_is_named(data: Path) -> None:
    save(data / "wild", drawn=split(["cat", "wolf"], WORDS))

    with pytest.raises(DataError, match=r"set 'wild': unknown class 'wolf'; 1 such classes"):
        training_sets(HfSuite(data=data, ood="wild=wild:drawn"), 0)


def test_a_shift_that_is_not_there_hides_no_other_set(data: Path) -> None:
    sets = HfSuite(data=data, ood="held=held; fog=none").open(0)

    assert [each.name for each in sets.ood] == ["held"]
    assert sets.refused["fog"].startswith("suite hf: unknown split 'none'")


def test_labels_may_be_words(tmp_path: Path) -> None:
    data = save(tmp_path / "words", train=split(["dog", "cat", "cat", "dog"] * 3, WORDS))

    sets = HfSuite(data=data, label_column="animal").open(0)

    assert sets.classes == ("cat", "dog")
    assert sets.train.whole.labels[:4] == (1, 0, 0, 1)


def test_labels_may_be_numbers_that_a_file_names(tmp_path: Path) -> None:
    data = save(tmp_path / "numbers", train=split([1, 0] * 6, NUMBERS))
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    named = HfSuite(data=data, label_column="animal", classes=tmp_path / "classes.txt")

    assert named.open(0).classes == ("cat", "dog")
    with pytest.raises(ConfigError, match=r"'animal' have no names: give a file .*--classes"):
        HfSuite(data=data, label_column="animal").open(0)


@pytest.mark.parametrize("words", [{"dataset": "~/photo"}, {"data": Path("photo")}])
def test_the_home_directory_may_be_written_as_in_a_shell(
    data: Path, monkeypatch: pytest.MonkeyPatch, words: dict[str, Any]
) -> None:
    """A file says it so; on the command line it is replaced before."""
    monkeypatch.setenv("HOME", str(data.parent))
    monkeypatch.chdir(data.parent)

    sets = HfSuite(test_split="held", ood="pencil=~/sketch:drawn", **words).open(0)

    assert len(sets.test) == 4
    assert [(each.name, len(each)) for each in sets.ood] == [("pencil", 3)]


def test_a_folder_of_image_files_is_read_too(tmp_path: Path) -> None:
    for folder in ("train/cat", "train/dog", "test/cat", "test/dog"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(6):
            image(number).save(tmp_path / folder / f"{number}.png")

    sets = HfSuite(data=tmp_path, test_split="test").open(0)

    assert sets.classes == ("cat", "dog")
    assert sets.test.read(0).size == (5, 3)


def test_sets_can_be_measured_on_without_a_training_split(data: Path) -> None:
    measured = HfSuite(data=data, train_split=None, test_split="held", ood="sketch=../sketch:drawn")

    assert [each.name for each in measured.evaluation(0).present] == ["test", "sketch"]
    with pytest.raises(DataError, match="no images to train on"):
        training_sets(measured, 0)


def test_a_test_set_that_is_drawn_is_the_same_where_models_are_measured(data: Path) -> None:
    drawn = HfSuite(data=data)

    measured, trained = drawn.evaluation(3).test, drawn.open(3).test

    assert measured is not None
    assert list(map(measured.identify, range(4))) == list(map(trained.identify, range(4)))


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"test_split": "hold"}, DataError, "unknown split 'hold'; did you mean 'held'"),
        ({"ood": "a=b"}, DataError, "unknown split 'b'"),
        ({"ood": "a=nobody/nothing:test"}, DataError, "nobody/nothing cannot be loaded"),
        ({"label_column": "note "}, ConfigError, "unknown column 'note '; did you mean 'note'"),
        ({"image_column": "note"}, ConfigError, r"unknown column 'note'; .*image .--image-col"),
    ],
)
def test_what_is_not_there_is_named(
    data: Path, values: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        training_sets(HfSuite(data=data, **values), 0)


def test_columns_that_cannot_be_told_by_type_are_listed(tmp_path: Path) -> None:
    data = save(tmp_path / "words", train=split(["dog", "cat"], WORDS))

    with pytest.raises(ConfigError, match=r"0 columns of type ClassLabel: .*note \(Value\)"):
        HfSuite(data=data).open(0)


def test_rows_without_a_label_are_counted(tmp_path: Path) -> None:
    data = save(tmp_path / "some", train=split([0, None, 1, -1], CAT_DOG))

    with pytest.raises(DataError, match=r"2 of 4 rows have no label of 0 to 1 .* one None"):
        training_sets(HfSuite(data=data), 0)


def test_a_row_without_a_readable_image_is_named(tmp_path: Path) -> None:
    rows = split([0, 1] * 6, CAT_DOG).cast_column("image", datasets.Image(decode=False))
    broken = {"bytes": b"no image", "path": None}
    rows = rows.map(lambda row, i: {"image": broken if i == 3 else row["image"]}, with_indices=True)
    data = save(tmp_path / "broken", train=rows.cast_column("image", datasets.Image()))

    images = HfSuite(data=data).open(0).train.whole

    with pytest.raises(DataError, match=r"set 'train', row-3: no image in a format that Pillow"):
        images.read(3)


def test_an_ood_set_does_not_take_the_place_of_a_part(data: Path) -> None:
    with pytest.raises(ConfigError, match="'val' is an in-distribution part"):
        HfSuite(data=data, val_split="held", ood="val=../sketch:drawn")


def test_folder_and_name_exclude_each_other(data: Path) -> None:
    with pytest.raises(ConfigError, match=r"give a folder \(--data\) or a name on the Hub"):
        HfSuite(data=data, dataset="owner/name")
    with pytest.raises(DataError, match="there is no such folder"):
        training_sets(HfSuite(data=data / "nowhere"), 0)


def test_class_labels_may_be_called_otherwise(data: Path) -> None:
    names = data / "classes.txt"
    names.write_text("tabby\nhound\n")
    renamed = HfSuite(data=data, classes=names, ood="held=held; sketch=../sketch:drawn")

    sets = renamed.open(0)

    assert sets.classes == ("tabby", "hound")
    assert [each.labels for each in sets.ood] == [(0, 1, 1, 0), (1, 1, 0)]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("cat\ndog\nowl\n", r"--classes has 3 names, but the label column has 2 classes: cat, dog"),
        ("cat\ncat\n", r"'cat' occurs twice"),
    ],
)
def test_names_that_do_not_fit_the_column_are_refused(data: Path, names: str, message: str) -> None:
    (data / "classes.txt").write_text(names)

    with pytest.raises(DataError, match=message):
        HfSuite(data=data, classes=data / "classes.txt").open(0)


def test_a_folder_of_save_to_disk_has_no_configurations(data: Path) -> None:
    with pytest.raises(DataError, match="wrote a single configuration there; remove 'large'"):
        HfSuite(data=data, subset="large").open(0)


def test_an_ood_set_may_be_of_a_configuration(data: Path) -> None:
    parquet = data.parent / "renditions"
    for name, labels in (("toys", [1, 1]), ("clips", [0])):
        (parquet / name).mkdir(parents=True)
        split(labels, CAT_DOG, 60).to_parquet(parquet / name / "test.parquet")
    (parquet / "README.md").write_text(
        "---\nconfigs:\n"
        "- config_name: toys\n  data_files: toys/*.parquet\n"
        "- config_name: clips\n  data_files: clips/*.parquet\n---\n"
    )

    ood = (
        HfSuite(data=data, ood="t=../renditions[toys]:train; c=../renditions[clips]:train")
        .open(0)
        .ood
    )

    assert [(each.name, each.labels) for each in ood] == [("t", (1, 1)), ("c", (0,))]


def test_a_split_without_rows_is_named() -> None:
    with pytest.raises(DataError, match="set 'test': the split has no rows"):
        hf_images("test", split([], CAT_DOG), Columns(None, None))


def test_a_stored_split_that_the_library_cannot_load_is_no_bug_of_cfft(data: Path) -> None:
    save(data.parent / "none", train=split([0, 1], CAT_DOG), empty=split([], CAT_DOG))

    with pytest.raises(DataError, match=r"none cannot be loaded: .*\(IndexError\)"):
        HfSuite(data=data.parent / "none", test_split="empty").open(0)


def test_a_dataset_that_is_a_program_is_not_run(tmp_path: Path) -> None:
    (tmp_path / f"{tmp_path.name}.py").write_text("raise SystemExit")

    with pytest.raises(DataError, match=r"cannot be loaded: Dataset scripts are no longer supp"):
        HfSuite(data=tmp_path).open(0)
