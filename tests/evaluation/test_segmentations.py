"""Segmentations: which file belongs to which image, what its values mean, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfft.data.images import ImageSubset, class_folders
from cfft.errors import ConfigError, DataError
from cfft.evaluation.masks.coco import coco_segmentations
from cfft.evaluation.masks.segmentations import (
    drawn,
    image_size,
    mask_files,
    own_segmentations,
    read_binary,
    read_trimap,
)

TRIMAP = [[1, 1, 3], [2, 3, 2]]


def paint(path: Path, size: tuple[int, int] = (3, 2)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def save(path: Path, values: list[list[int]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(values, np.uint8)).save(path)
    return path


@pytest.fixture
def pets(tmp_path: Path):
    """A set `test` of two cats and a dog, each 2 x 3 pixels (H x W)."""
    for name in ("cat/kit.jpg", "cat/tom.jpg", "dog/rex.jpg"):
        paint(tmp_path / "test" / name)
    return class_folders(tmp_path / "test", "test")


@pytest.mark.parametrize("place", ["test/dog/rex.png", "dog/rex.png", "rex.png"])
def test_a_mask_lies_beside_the_images_in_one_of_three_layouts(pets, tmp_path, place):
    save(tmp_path / "masks" / place, [[0, 0, 9], [0, 0, 255]])

    found = mask_files(pets, tmp_path / "masks", read_binary)

    assert [found.images.identify(index) for index in range(len(found.images))] == ["dog/rex.jpg"]
    assert found.segment(0).tolist() == [[0, 0, 1], [0, 0, 1]]
    assert found.missing == 2


def test_a_trimap_has_an_object_a_background_and_a_border_that_is_left_out(tmp_path):
    assert read_trimap(save(tmp_path / "a.png", TRIMAP)).tolist() == [[1, 1, 255], [0, 255, 0]]


@pytest.mark.parametrize(
    ("values", "read", "words"),
    [
        (TRIMAP, read_binary, "all are 1, 2, 3: if it is a trimap, give --mask-format trimap"),
        ([[0, 1]], read_trimap, "it has pixels of 0, allowed: 1 object, 2 background"),
        ([[[0, 0, 0]]], read_binary, "one channel of 8 bits, this has mode RGB"),
    ],
)
def test_a_mask_in_another_format_is_refused(tmp_path, values, read, words):
    path = save(tmp_path / "a.png", values)
    with pytest.raises(DataError, match=words):
        read(path)


def test_a_mask_that_is_no_image_is_named(tmp_path):
    (tmp_path / "a.png").write_text("nothing")
    with pytest.raises(DataError, match=r"a\.png: cannot identify"):
        read_binary(tmp_path / "a.png")


def test_a_mask_of_another_size_than_its_image_is_refused(pets, tmp_path):
    save(tmp_path / "masks" / "rex.png", [[0, 1]])
    found = mask_files(pets, tmp_path / "masks", read_binary)
    with pytest.raises(DataError, match=r"has 1 x 2 pixels, its image dog/rex.jpg 2 x 3"):
        found.segment(0)


def test_one_file_is_never_the_mask_of_two_images(pets, tmp_path):
    paint(tmp_path / "test" / "dog" / "kit.jpg")
    twins = class_folders(tmp_path / "test", "test")
    save(tmp_path / "masks" / "kit.png", [[0, 1]])
    with pytest.raises(DataError, match=r"segmentation of cat/kit.jpg and dog/kit.jpg"):
        mask_files(twins, tmp_path / "masks", read_binary)


def test_a_folder_without_masks_says_what_was_looked_for(pets, tmp_path):
    with pytest.raises(DataError, match=r"looked for test/cat/kit.png, cat/kit.png, kit.png"):
        mask_files(pets, tmp_path, read_binary)


def test_coco_in_place_of_a_folder_is_answered_with_its_format(pets, tmp_path):
    (tmp_path / "coco.json").write_text("{}")

    with pytest.raises(DataError, match=r"coco.json is a JSON file: .* --mask-format coco"):
        mask_files(pets, tmp_path / "coco.json", read_binary)


def test_a_set_that_knows_no_objects_asks_for_masks(pets):
    with pytest.raises(DataError, match="set 'test' has no segmentations of its own"):
        own_segmentations(pets)


def test_fewer_images_are_drawn_from_every_class_with_their_own_masks(pets, tmp_path):
    save(tmp_path / "masks" / "cat" / "tom.png", [[0, 0, 1], [0, 0, 0]])
    save(tmp_path / "masks" / "cat" / "kit.png", [[0, 0, 1], [0, 0, 0]])
    save(tmp_path / "masks" / "dog" / "rex.png", [[1, 0, 0], [0, 0, 0]])

    found = drawn(mask_files(pets, tmp_path / "masks", read_binary), 2, seed=0)

    assert found.images.labels == (0, 1)
    assert found.segment(1)[0].tolist() == [1, 0, 0]


def test_fewer_images_than_classes_are_refused(pets, tmp_path):
    save(tmp_path / "masks" / "cat" / "tom.png", [[0, 1]])
    save(tmp_path / "masks" / "dog" / "rex.png", [[0, 1]])
    found = mask_files(pets, tmp_path / "masks", read_binary)
    with pytest.raises(ConfigError, match="--limit 1: set 'test' has 2 classes"):
        drawn(found, 1, seed=0)


def test_the_size_of_an_image_is_that_of_the_upright_one(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    (tmp_path / "cat").mkdir()
    Image.new("RGB", (3, 2)).save(tmp_path / "cat" / "tom.jpg", exif=exif)
    (tmp_path / "dog").mkdir()
    paint(tmp_path / "dog" / "rex.jpg")
    images = class_folders(tmp_path, "pets")

    sizes = [image_size(ImageSubset(images, (i,), "one"), 0) for i in (0, 1)]

    assert sizes == [(3, 2), (2, 3)]
    assert images.read(0).size == (2, 3)


COCO = {
    "images": [{"id": 7, "file_name": "train/rex.jpg", "height": 2, "width": 3}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"image_id": 7, "category_id": 2, "segmentation": [[0, 0, 2, 0, 2, 1, 0, 1]]},
        {"image_id": 7, "category_id": 1, "segmentation": [[0, 0, 3, 0, 3, 2, 0, 2]]},
        # column by column: 4 pixels out, the last column's 2 in
        {"image_id": 7, "category_id": 2, "iscrowd": 1,
         "segmentation": {"size": [2, 3], "counts": [4, 2]}},
    ],
}  # fmt: skip


# pycocotools 2.0.11 with NumPy 2
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_coco_gives_the_objects_of_an_images_own_class_without_crowds(pets, tmp_path):
    (tmp_path / "instances.json").write_text(json.dumps(COCO))

    found = coco_segmentations(pets, tmp_path / "instances.json", ("cat", "dog"))

    assert found.images.identify(0) == "dog/rex.jpg"
    assert found.segment(0).tolist() == [[1, 1, 255], [0, 0, 255]]
    assert found.missing == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no JSON", "cannot be read as JSON"),
        ("{}", "not a COCO instances file: it lacks images"),
        (json.dumps({**COCO, "categories": []}), "has no category 'cat'"),
        (json.dumps({**COCO, "images": []}), "lists no image of set 'test'"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(pets, tmp_path, content, words):
    (tmp_path / "instances.json").write_text(content)
    with pytest.raises(DataError, match=words):
        coco_segmentations(pets, tmp_path / "instances.json", ("cat", "dog"))


def test_coco_that_speaks_of_an_image_of_another_size_is_refused(pets, tmp_path):
    image = {**COCO["images"][0], "width": 30}
    (tmp_path / "instances.json").write_text(json.dumps({**COCO, "images": [image]}))
    found = coco_segmentations(pets, tmp_path / "instances.json", ("cat", "dog"))
    with pytest.raises(
        DataError, match=r"rex.jpg has 2 x 30 pixels there, but the image has 2 x 3"
    ):
        found.segment(0)
