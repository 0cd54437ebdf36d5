"""ObjectNet: folders of several ImageNet classes, folders of none, the frame, its own mappings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch
from PIL import Image

from cfft import DataError
from cfft.data.sets import evaluation_sets
from cfft.scoring.evaluate import score
from cfft.scoring.predictions import Predictions
from cfft_suites.imagenet.objectnet import ObjectNetImages
from cfft_suites.imagenet.suite import ImageNetSuite

Lay = Callable[..., None]
ALARM_CLOCK = (409, 530)  # analog clock, digital clock
BANANA = 954


def open_objectnet(data: Path, border: int = 2) -> ObjectNetImages:
    suite = ImageNetSuite(data=data, sets=("objectnet",), border=border)
    return cast(ObjectNetImages, evaluation_sets(suite, 0).ood[0])


def write_mappings(folder: Path, **changed: str) -> None:
    texts = {
        "folder_to_objectnet_label.json": json.dumps(
            {"clock": "Clock", "fruit": "Fruit", "lid": "Lid"}
        ),
        "objectnet_to_imagenet_1k.json": json.dumps(
            {"Clock": "big clock; small clock, watch", "Fruit": "yellow fruit"}
        ),
        "pytorch_to_imagenet_2012_id.json": json.dumps({"7": 0, "5": 1, "9": 2}),
        "imagenet_to_label_2012_v2": "big clock\nsmall clock, watch\nyellow fruit\n",
        **changed,
    }
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text)


@pytest.fixture
def objectnet(lay: Lay, tmp_path: Path) -> Path:
    """An alarm clock, a banana, and a folder that is no class of ImageNet."""
    images = "objectnet-1.0/images"
    lay(f"{images}/alarm_clock", f"{images}/air_freshener", f"{images}/banana", size=(10, 8))
    return tmp_path


def test_a_folder_of_two_classes_has_the_first_as_its_label(objectnet: Path) -> None:
    images = open_objectnet(objectnet)

    assert [images.identify(index) for index in range(len(images))] == [
        *("alarm_clock/0.png", "banana/0.png"),
    ]
    assert list(images.labels) == [409, BANANA]
    assert images.counts_as[530] == 409
    assert 409 not in images.counts_as
    assert (len(images.classes), len(images.counts_as)) == (125, 12)


@pytest.mark.parametrize("said", ALARM_CLOCK)
def test_each_class_of_a_folder_is_right(objectnet: Path, said: int) -> None:
    images = open_objectnet(objectnet)
    stands_for = torch.arange(1000)
    stands_for[list(images.counts_as)] = torch.tensor(list(images.counts_as.values()))
    logits = torch.zeros(1, 1000)
    logits[0, said] = 1

    found = score(Predictions(logits, torch.tensor([409]), ("clock",), images.classes, stands_for))

    assert found.top1 == 1


def test_the_border_is_cut_off(objectnet: Path) -> None:
    assert open_objectnet(objectnet).read(0).size == (6, 4)
    assert open_objectnet(objectnet, border=0).read(0).size == (10, 8)


def test_what_is_left_lies_within_the_border(objectnet: Path) -> None:
    framed = Image.new("RGB", (10, 8), "red")
    framed.paste("blue", (2, 2, 8, 6))
    framed.save(objectnet / "objectnet-1.0/images/banana/0.png")

    assert open_objectnet(objectnet).read(1).getcolors() == [(24, (0, 0, 255))]


def test_an_image_that_is_all_border_is_named(objectnet: Path) -> None:
    with pytest.raises(DataError, match=r"banana/0.png: 10 x 8 pixels leave nothing .* of 4"):
        open_objectnet(objectnet, border=4).read(1)


def test_the_archives_own_mappings_decide_where_they_are_there(lay: Lay, tmp_path: Path) -> None:
    lay(*(f"objectnet-1.0/images/{folder}" for folder in ("clock", "fruit", "lid")))
    write_mappings(tmp_path / "objectnet-1.0" / "mappings")

    images = open_objectnet(tmp_path, border=0)

    assert list(images.labels) == [5, 9]
    assert (images.classes, images.counts_as) == ((5, 7, 9), {7: 5})


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("objectnet_to_imagenet_1k.json", "{", "mappings cannot be read .Expecting"),
        ("imagenet_to_label_2012_v2", "big clock\n", "no entry for 'small clock, watch'"),
    ],
)
def test_mappings_that_do_not_fit_together_are_refused(
    lay: Lay, tmp_path: Path, file: str, text: str, message: str
) -> None:
    lay("objectnet-1.0/images/clock")
    write_mappings(tmp_path / "objectnet-1.0" / "mappings", **{file: text})

    with pytest.raises(DataError, match=message):
        open_objectnet(tmp_path)


def test_missing_mapping_files_are_named(lay: Lay, tmp_path: Path) -> None:
    lay("objectnet-1.0/images/clock")
    (tmp_path / "objectnet-1.0" / "mappings").mkdir()

    with pytest.raises(DataError, match=r"No such file .*folder_to_objectnet_label.json"):
        open_objectnet(tmp_path)
