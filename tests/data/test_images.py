"""Image files: what is found, how it is read, which errors name what."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfft.data.check import check_suite, find_unreadable
from cfft.data.folders import list_subfolders, training_class_names
from cfft.data.images import (
    ImageFiles,
    ImageSubset,
    class_folders,
    decode_image,
    image_fault,
    read_image,
)
from cfft.data.suite import ImageSet, SuiteSets
from cfft.errors import DataError

RED, WHITE = (255, 0, 0), (255, 255, 255)


def paint(path: Path, color: tuple[int, int, int] = RED, size: tuple[int, int] = (4, 3)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path


def truncate(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-40])
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two cats, one of them a folder deeper, and a dog."""
    paint(tmp_path / "dog" / "rex.png")
    paint(tmp_path / "cat" / "tom.JPG")
    paint(tmp_path / "cat" / "indoor" / "kit.png")
    return tmp_path


def test_images_are_found_in_sorted_order_at_any_depth(pets: Path) -> None:
    found = class_folders(pets, name="pets")

    assert found.paths == ("cat/indoor/kit.png", "cat/tom.JPG", "dog/rex.png")
    assert found.labels == (0, 0, 1)
    assert found.classes == (0, 1)
    assert found.class_names == ("cat", "dog")
    assert isinstance(found, ImageSet)


def test_an_image_is_identified_by_its_path_within_the_set(pets: Path) -> None:
    found = class_folders(pets, name="pets")

    assert [found.identify(index) for index in range(len(found))] == list(found.paths)


def test_hidden_and_foreign_files_are_left_out(pets: Path) -> None:
    paint(pets / ".cache" / "a.png")
    paint(pets / "dog" / ".thumb.png")
    (pets / "dog" / "notes.txt").write_text("good boy")

    assert len(class_folders(pets, name="pets")) == 3


def test_links_are_followed_but_not_in_circles(pets: Path) -> None:
    (pets / "dog" / "again").symlink_to(pets / "dog")
    (pets / "dog" / "linked.png").symlink_to(pets / "cat" / "tom.JPG")

    assert class_folders(pets, name="pets").paths[-2:] == ("dog/linked.png", "dog/rex.png")


def test_numbered_folders_are_sorted_as_numbers(tmp_path: Path) -> None:
    paint(tmp_path / "10" / "a.png")
    paint(tmp_path / "9" / "a.png")

    assert list_subfolders(tmp_path) == ["9", "10"]


def test_an_ood_set_may_hold_a_subset_of_the_classes(pets: Path) -> None:
    found = class_folders(pets, name="ood", classes=["bird", "cat", "cow", "dog"])

    assert found.classes == (1, 3)
    assert found.labels == (1, 1, 3)


@pytest.mark.parametrize(
    ("folder", "classes", "message"),
    [
        ("nowhere", None, "no such directory: .*nowhere"),
        ("dog", None, r"images lie directly in (\S+/dog): put them in \1/CLASS/"),
        ("nowhere", ["cat", "dog"], "no such directory: .*nowhere"),
    ],
)
def test_a_directory_that_gives_no_classes_is_named(
    pets: Path, folder: str, classes: list[str] | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        class_folders(pets / folder, name="pets", classes=classes)


def test_a_folder_that_training_lacks_is_a_fault_and_left_out(pets: Path) -> None:
    found = class_folders(pets, name="pets", classes=["dogs", "cat"])

    (fault,) = found.faults
    assert "class 'dog' that training lacks: did you mean 'dogs'" in fault
    assert (found.paths, found.classes) == (("cat/indoor/kit.png", "cat/tom.JPG"), (1,))


def test_images_outside_class_folders_are_a_fault(pets: Path) -> None:
    found = class_folders(pets / "dog", name="pets", classes=["cat", "dog"])

    (fault,) = found.faults
    assert f"set 'pets': images lie directly in {pets / 'dog'}: put them in" in fault
    assert len(found) == 0


def test_folders_that_are_not_asked_for_are_left_out(pets: Path) -> None:
    found = class_folders(pets, "pets", ("dog", "owl"), only=("dog", "owl"))

    assert (found.paths, found.labels) == (("dog/rex.png",), (0,))


def test_a_set_without_any_of_the_asked_folders_has_that_fault(pets: Path) -> None:
    found = class_folders(pets, "pets", ("owl", "bat"), only=("owl",))

    assert found.faults == (f"set 'pets': none of the folders in {pets} is one of its classes",)


def test_training_on_one_class_is_refused(tmp_path: Path) -> None:
    paint(tmp_path / "cat" / "tom.png")

    with pytest.raises(DataError, match="two or more class folders, got only 'cat'"):
        class_folders(tmp_path, name="train")


def test_every_empty_class_folder_is_a_fault_of_the_set_and_its_parts(pets: Path) -> None:
    (pets / "ant").mkdir()
    (pets / "bee").mkdir()

    found = class_folders(pets, name="train")

    assert [fault.partition(";")[0] for fault in found.faults] == [
        f"set 'train': no images in class folder {pets / 'ant'}",
        f"set 'train': no images in class folder {pets / 'bee'}",
    ]
    assert found.classes == (0, 1, 2, 3)
    assert ImageSubset(whole=found, indices=(0,), name="part").faults == found.faults


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classes.txt", "tabby cat\nhound\n"),
        ("classes.txt", "dog\thound\n\ncat\ttabby cat\n"),
        ("classes.toml", 'dog = "hound"\ncat = "tabby cat"\n'),
    ],
)
def test_class_names_come_from_a_file_in_the_order_of_the_folders(
    pets: Path, file: str, text: str
) -> None:
    (pets / file).write_text(text)

    assert list(training_class_names(pets, names_in=pets).items()) == [
        ("cat", "tabby cat"),
        ("dog", "hound"),
    ]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("classes.txt", "tabby", "classes.txt: 1 names for 2 class folders"),
        ("classes.txt", "dog\ncat", "'dog' stands where folder 'cat' belongs"),
        ("classes.txt", "cat\ttabby\ndog", "line 'dog' is not of the form folder<TAB>name"),
        ("classes.txt", "cat\ttabby\ncat\ttom", "folder 'cat' is named twice"),
        ("classes.txt", "cat\ttabby", "no name for class folder 'dog'"),
        (
            "classes.toml",
            'cat = "a"\ndogs = "b"',
            "unknown class folder 'dogs'; did you mean 'dog'",
        ),
        ("classes.toml", 'cat = "a"\ndog = 3', "'dog' has no name"),
        ("classes.toml", "cat = ", "classes.toml: Invalid value"),
    ],
)
def test_class_names_that_do_not_match_are_refused(
    pets: Path, file: str, text: str, message: str
) -> None:
    (pets / file).write_text(text)

    with pytest.raises(DataError, match=message):
        training_class_names(pets, names_in=pets)


def test_two_files_of_class_names_are_refused(pets: Path) -> None:
    (pets / "classes.txt").write_text("a\nb")
    (pets / "classes.toml").write_text("")

    with pytest.raises(DataError, match="keep one of them"):
        training_class_names(pets, names_in=pets)


def test_an_image_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotated by 90 degrees
    Image.new("RGB", (4, 3)).save(tmp_path / "a.jpg", exif=exif)

    assert read_image(tmp_path / "a.jpg").size == (3, 4)


@pytest.mark.parametrize(
    ("image", "file", "expected"),
    [
        (Image.new("L", (2, 2), 7), "a.png", (7, 7, 7)),
        (Image.new("LA", (2, 2), (7, 255)), "a.png", (7, 7, 7)),
        (Image.new("RGBA", (2, 2), (255, 0, 0, 255)), "a.png", RED),
        (Image.new("RGBA", (2, 2), (255, 0, 0, 0)), "a.png", WHITE),
        (Image.new("RGB", (2, 2), RED).convert("P"), "a.png", RED),
        (Image.new("CMYK", (2, 2), (0, 255, 255, 0)), "a.tif", RED),
        (Image.fromarray(np.full((2, 2), 200 * 257, np.uint16)), "a.png", (200, 200, 200)),
        (Image.fromarray(np.full((2, 2), 200 * 257, np.uint16)), "a.tif", (200, 200, 200)),
        (Image.new("1", (2, 2), 1), "a.png", WHITE),
    ],
    ids=[
        "grey",
        "grey+alpha",
        "opaque",
        "transparent",
        "palette",
        "cmyk",
        "16 bit",
        "16 bit tiff",
        "bits",
    ],
)
def test_every_mode_becomes_rgb(
    tmp_path: Path, image: Image.Image, file: str, expected: tuple[int, int, int]
) -> None:
    image.save(tmp_path / file)

    read = read_image(tmp_path / file)

    assert read.mode == "RGB"
    assert read.getpixel((0, 0)) == expected


def test_integers_of_a_format_of_16_bits_are_scaled(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5 1 1 65535\n" + (200 * 257).to_bytes(2, "big"))

    assert read_image(tmp_path / "a.pgm").getpixel((0, 0)) == (200, 200, 200)


def test_reading_names_path_and_reason(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")

    with pytest.raises(DataError, match=r"a\.png: no image in a format that Pillow knows"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "a Git LFS pointer, not"),
        (b"\n<!DOCTYPE html><html>", "an HTML page, as servers send it"),
        (b"<?xml version='1.0'?><Error/>", "an XML message, as servers send it"),
        (b"", "the file is empty"),
    ],
)
def test_what_lies_in_the_place_of_an_image_is_named(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(content)

    assert str(image_fault(tmp_path / "a.png")).startswith(reason)
    with pytest.raises(DataError, match=rf"a\.png: {reason}"):
        read_image(tmp_path / "a.png")
    with pytest.raises(DataError, match=rf"0007: {reason}"):
        decode_image(content, "0007")


@pytest.mark.parametrize(("mode", "kind"), [("F", "float"), ("I", "integer")])
def test_images_of_32_bits_are_refused_as_they_have_no_range(
    tmp_path: Path, mode: str, kind: str
) -> None:
    Image.new(mode, (2, 2), 200).save(tmp_path / "a.tif")

    with pytest.raises(DataError, match=rf"a\.tif: 32-bit {kind} images have no fixed range"):
        read_image(tmp_path / "a.tif")


def test_a_subset_keeps_names_and_classes(pets: Path) -> None:
    whole = class_folders(pets, name="pets")

    subset = ImageSubset(whole=whole, indices=(2, 0), name="some")

    assert isinstance(subset, ImageSet)
    assert subset.labels == (1, 0)
    assert subset.identify(0) == "dog/rex.png"
    assert subset.read(0).getpixel((0, 0)) == RED
    assert (len(subset), subset.classes) == (2, whole.classes)


def suite_of(images: ImageFiles) -> SuiteSets:
    first, rest = ImageSubset(images, (0,), "val"), ImageSubset(images, (1, 2), "train")
    return SuiteSets(classes=images.class_names, train=rest, val=first, test=images)


def noise(path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("file", ["a.jpg", "a.png", "a.bmp", "a.webp"])
def test_a_truncated_image_is_found(pets: Path, file: str) -> None:
    truncate(noise(pets / "dog" / file))

    (found,) = find_unreadable([class_folders(pets, name="pets")])

    assert found.record()["set"] == "pets"
    assert found.path == str(pets / "dog" / file)
    assert found.reason


def test_readable_images_leave_a_suite_as_it_is(pets: Path) -> None:
    suite = suite_of(class_folders(pets, name="pets"))

    whole = check_suite(suite)
    checked, found = whole.sets, whole.unreadable

    assert found == []
    assert (checked.train, checked.val, checked.test) == (suite.train, suite.val, suite.test)


def test_all_unreadable_images_are_listed_with_their_reasons(pets: Path) -> None:
    (pets / "cat" / "tom.JPG").write_bytes(b"")
    (pets / "dog" / "gone.png").symlink_to(pets / "nowhere.png")

    with pytest.raises(DataError) as caught:
        check_suite(suite_of(class_folders(pets, name="pets")))

    assert "unreadable images: 4" in str(caught.value)
    assert "--skip-unreadable" in str(caught.value)
    assert f"set 'pets': {pets}/cat/tom.JPG: the file is empty" in str(caught.value)
    assert f"set 'train': {pets}/dog/gone.png: it is a link to {pets}/nowhere.png," in str(
        caught.value
    )


def test_skipping_leaves_unreadable_images_out_and_records_them(pets: Path) -> None:
    (pets / "cat" / "bad.png").write_bytes(b"")
    images = class_folders(pets, name="pets")
    suite = SuiteSets(images.class_names, train=images, val=images, test=images)

    whole = check_suite(suite, skip=True)
    checked, found = whole.sets, whole.unreadable

    assert [checked.train.identify(index) for index in range(3)] == [
        "cat/indoor/kit.png",
        "cat/tom.JPG",
        "dog/rex.png",
    ]
    assert [image.record() for image in found] == [
        {
            "set": "pets",
            "path": f"{pets}/cat/bad.png",
            "reason": "the file is empty",
        }
    ]


def test_skipping_the_last_image_of_a_training_class_is_refused(pets: Path) -> None:
    (pets / "dog" / "rex.png").write_bytes(b"")
    images = class_folders(pets, name="pets")
    suite = SuiteSets(images.class_names, train=images, val=images, test=images)

    with pytest.raises(DataError, match="no readable image is left of class 'dog'"):
        check_suite(suite, skip=True)


def test_the_check_reports_progress_in_images(pets: Path) -> None:
    images = class_folders(pets, name="pets")
    seen: list[int] = []

    find_unreadable([images, ImageSubset(images, (0,), "val")], seen.append)

    assert seen == [3, 4]
