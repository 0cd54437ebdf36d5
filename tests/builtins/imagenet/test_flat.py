"""ImageNet's validation images in one folder, with their classes in Kaggle's file."""

from pathlib import Path

import pytest
from PIL import Image

from cfft import DataError
from cfft.data.sets import evaluation_sets, training_sets
from cfft_suites.imagenet.suite import ImageNetSuite

PLACES = ["val", "imagenet/val", "ILSVRC/Data/CLS-LOC/val", "."]
ANSWERS = """ImageId,PredictionString
ILSVRC2012_val_00000001,n01751748 156 48 272 332 n01751748 42 9 322 285
ILSVRC2012_val_00000003,n01440764 1 2 3 4
ILSVRC2012_val_00000002,n15075141 1 2 3 4
"""


def unpack(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        Image.new("RGB", (4, 4)).save(folder / f"ILSVRC2012_val_0000000{number}.JPEG")


@pytest.mark.parametrize("place", PLACES)
def test_images_without_folders_get_their_classes_from_kaggles_file(
    tmp_path: Path, place: str
) -> None:
    unpack(tmp_path / place)
    (tmp_path / "LOC_val_solution.csv").write_text(ANSWERS)

    test = evaluation_sets(ImageNetSuite(data=tmp_path), 0).test

    assert test is not None
    assert [test.identify(index) for index in range(2)] == [
        *("ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG"),
    ]
    assert (list(test.labels), len(test.classes)) == ([65, 999], 1000)
    assert test.read(1).size == (4, 4)


@pytest.mark.parametrize("place", PLACES)
def test_without_that_file_the_remedies_are_named(tmp_path: Path, place: str) -> None:
    unpack(tmp_path / place)

    with pytest.raises(DataError, match=r"'imagenet': 2 images .*LOC_val_solution.*valprep\.sh"):
        evaluation_sets(ImageNetSuite(data=tmp_path), 0)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (ANSWERS.replace("00000001", "00000009"), "lacks images: ILSVRC2012_val_00000001$"),
        (
            ANSWERS.replace("n15075141", "n99999999"),
            "has classes that are none of ImageNet's 1,000: n99999999$",
        ),
        ("ImageId,Class\na,b\n", "cannot be read as lines of ImageId,PredictionString .KeyError"),
        ("ImageId,PredictionString\na\n", "cannot be read as lines of ImageId,PredictionString"),
        ("ImageId,PredictionString\na,\n", "cannot be read as lines of ImageId,PredictionString"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, answers: str, message: str) -> None:
    unpack(tmp_path / "val")
    (tmp_path / "LOC_val_solution.csv").write_text(answers)

    with pytest.raises(DataError, match=f"LOC_val_solution.csv:? {message}"):
        evaluation_sets(ImageNetSuite(data=tmp_path), 0)


def test_training_images_lie_where_kaggle_puts_them(tmp_path: Path) -> None:
    unpack(tmp_path / "ILSVRC/Data/CLS-LOC/val")
    unpack(tmp_path / "ILSVRC/Data/CLS-LOC/train/n01440764")
    (tmp_path / "LOC_val_solution.csv").write_text(ANSWERS)

    with pytest.raises(DataError, match="CLS-LOC/train lacks 999 of ImageNet's 1000 classes"):
        training_sets(ImageNetSuite(data=tmp_path, val=1000), 0)
