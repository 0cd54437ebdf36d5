"""Instances files of COCO: which image is which image, and what no file may say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cfft.data.images import ImageFiles, class_folders
from cfft.errors import DataError
from cfft.evaluation.masks.coco import coco_segmentations
from cfft.evaluation.masks.segmentations import Segmented

# pycocotools 2.0.11 with NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LEFT, RIGHT = [[0, 0, 1, 0, 1, 2, 0, 2]], [[2, 0, 3, 0, 3, 2, 2, 2]]
Read = Callable[..., Segmented]


def image(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "file_name": name, "height": 2, "width": 3}


def outline(number: int, category: int, polygons: Any) -> dict[str, Any]:
    return {"id": 70 + number, "image_id": number, "category_id": category} | (
        {} if polygons is None else {"segmentation": polygons}
    )


@pytest.fixture
def pets(tmp_path: Path) -> ImageFiles:
    """A cat and a dog whose files have the same name, and another dog."""
    for name in ("cat/0.png", "dog/0.png", "dog/1.png"):
        (tmp_path / "test" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 2)).save(tmp_path / "test" / name)
    return class_folders(tmp_path / "test", "test")


@pytest.fixture
def read(pets: ImageFiles, tmp_path: Path) -> Read:
    """Return `read(images, annotations, **other parts)`."""

    def written(images: Any, annotations: Any = (), **parts: Any) -> Segmented:
        categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (tmp_path / "instances.json").write_text(json.dumps(content | parts))
        return coco_segmentations(pets, tmp_path / "instances.json", ("cat", "dog"))

    return written


@pytest.mark.parametrize("folder", ["", "test/"])
def test_images_of_one_name_keep_their_own_masks(read: Read, folder: str) -> None:
    images = [image(1, f"{folder}cat/0.png"), image(2, f"{folder}dog/0.png")]

    found = read(images, [outline(1, 1, LEFT), outline(2, 2, RIGHT)])

    assert found.segment(0).tolist() == [[1, 0, 0], [1, 0, 0]]
    assert found.segment(1).tolist() == [[0, 0, 1], [0, 0, 1]]


def test_a_name_without_folders_is_no_image_of_two_images(read: Read) -> None:
    with pytest.raises(DataError, match=r"'0.png' may be cat/0.png or dog/0.png: give file_name w"):
        read([image(1, "0.png")])


def test_an_image_is_not_found_by_a_name_that_two_images_have(read: Read) -> None:
    with pytest.raises(DataError, match=r"dog/1.png may be 'a/1.png' or 'b/1.png': give file_name"):
        read([image(1, "a/1.png"), image(2, "b/1.png")])


def test_a_name_without_folders_will_do_where_it_is_the_only_one(read: Read) -> None:
    found = read([image(1, "train2017/1.png")], [outline(1, 2, RIGHT)])

    assert found.images.identify(0) == "dog/1.png"
    assert found.segment(0).tolist() == [[0, 0, 1], [0, 0, 1]]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"images": [{"id": 1, "height": 2, "width": 3}]}, "images.0. lacks file_name"),
        ({"images": [3]}, "images.0. is 3, not an object"),
        ({"images": {"1": image(1, "cat/0.png")}}, "images is not a list"),
        ({"annotations": [{"image_id": 1}]}, "annotations.0. lacks category_id"),
        ({"categories": [{"id": 1}]}, "categories.0. lacks name"),
    ],
)
def test_an_entry_that_lacks_something_is_named(
    read: Read, parts: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError, match=f"instances.json: {words}"):
        read(**{"images": [image(1, "cat/0.png")], **parts})


@pytest.mark.parametrize("content", ["3", "[]", "null"])
def test_json_that_is_no_object_is_no_instances_file(
    pets: ImageFiles, tmp_path: Path, content: str
) -> None:
    (tmp_path / "instances.json").write_text(content)

    with pytest.raises(DataError, match="not a COCO instances file: it is not a JSON object"):
        coco_segmentations(pets, tmp_path / "instances.json", ("cat", "dog"))


@pytest.mark.parametrize(
    "segmentation",
    [
        *([], [[]], [[1, 2]], [[1, 2, 3, 4]], 3, {"size": [2, 3]}),
        *({"size": [2, 3], "counts": "x"}, {"size": [2, 2], "counts": [2, 2]}, None),
    ],
)
def test_an_outline_that_is_none_is_named(read: Read, segmentation: Any) -> None:
    found = read([image(1, "cat/0.png")], [outline(1, 1, segmentation)])

    with pytest.raises(DataError, match=r"cat/0.png: annotation 71 has no outline that can be rea"):
        found.segment(0)
