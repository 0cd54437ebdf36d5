"""What lies in place of an image and is none, and images that would fill the memory."""

from __future__ import annotations

import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfft import DataError, Preprocessing, read_image
from cfft.data.folders import find_images, list_subfolders
from cfft.data.images import class_folders, image_fault
from cfft.data.transform import image_transform
from cfft.data.verification.verify import verify
from cfft.errors import ConfigError
from cfft.evaluation.masks.segmentations import image_size, read_binary
from cfft.evaluation.predict import find_images as find_by_words
from cfft.runtime.patterns import paths_called
from cfft_suites.folder import FolderSuite
from cfft_suites.hf.images import Columns, HfImages
from cfft_suites.lists.suite import ListsSuite

Make = Callable[[Path], object]


def paint(folder: Path, count: int = 10) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng([number, *folder.name.encode()])
        Image.fromarray(rng.integers(0, 256, (3, 4, 3), np.uint8)).save(folder / f"{number}.png")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ten cats and ten dogs to train on."""
    paint(tmp_path / "train" / "cat")
    paint(tmp_path / "train" / "dog")
    return tmp_path


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(path.parent)  # the path of a socket has 100 bytes at most
        made.bind(path.name)


ODD: dict[str, Make] = {
    "a pipe": os.mkfifo,
    "a socket": a_socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
}
odd = pytest.mark.parametrize(("what", "make"), ODD.items(), ids=ODD)


@pytest.fixture(autouse=True)
def stays_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@odd
def test_what_is_no_file_is_passed_over_and_counted(data: Path, what: str, make: Make) -> None:
    make(data / "train" / "cat" / "odd.png")
    make(data / "train" / "odd.png")

    found = verify(FolderSuite(data=data), 0)

    assert found.problems == ()
    assert found.sets[0].passed_over == {"pipe, socket or device": 2}
    assert sum(each.images for each in found.sets) == 20


@odd
def test_what_is_no_file_is_never_opened(tmp_path: Path, what: str, make: Make) -> None:
    path = tmp_path / "odd.png"
    make(path)

    said = f"it is {what}, no image file: it is not opened"
    assert image_fault(path) == said
    for read in (read_image, read_binary):
        with pytest.raises(DataError, match=rf"odd\.png: {said}"):
            read(path)


@odd
def test_what_is_no_file_is_named_where_a_list_names_it(data: Path, what: str, make: Make) -> None:
    make(data / "train" / "cat" / "odd.png")
    lines = [f"train/cat/{n}.png cat\ntrain/dog/{n}.png dog" for n in range(10)]
    (data / "train.txt").write_text("\n".join([*lines, "train/cat/odd.png cat"]))

    found = verify(ListsSuite(data=data / "train.txt"), 0)

    assert [image.reason for image in found.unreadable] == [
        f"it is {what}, no image file: it is not opened"
    ]


@odd
def test_what_is_no_file_is_named_where_a_dataset_points_at_it(
    tmp_path: Path, what: str, make: Make
) -> None:
    make(tmp_path / "odd.png")
    rows = [{"image": {"bytes": None, "path": str(tmp_path / "odd.png")}}]
    names = ("cat", "dog")
    images = HfImages("test", rows, Columns("image", "label"), (0,), names, names)

    with pytest.raises(DataError, match=f"it is {what}, no image file"):
        images.read(0)


def test_the_size_of_what_is_no_file_is_not_waited_for(data: Path) -> None:
    images = class_folders(data / "train", "train")
    (data / "train" / "cat" / "0.png").unlink()
    os.mkfifo(data / "train" / "cat" / "0.png")

    with pytest.raises(DataError, match=r"0\.png: it is a pipe"):
        image_size(images, 0)


def test_a_link_to_itself_is_named_as_such(data: Path) -> None:
    link = data / "train" / "cat" / "loop.png"
    link.symlink_to("loop.png")

    said = "it is a link to loop.png, which leads back to it: remove the link"
    assert image_fault(link) == said
    assert [image.reason for image in verify(FolderSuite(data=data), 0).unreadable] == [said]
    with pytest.raises(DataError, match=said):
        find_by_words([str(link)])


def test_a_dangling_link_says_where_it_leads(data: Path) -> None:
    link = data / "train" / "cat" / "gone.png"
    link.symlink_to("nowhere.png")

    assert str(image_fault(link)).startswith("it is a link to nowhere.png, which is not there")


@pytest.mark.parametrize("suite", [FolderSuite, ListsSuite])
def test_data_that_is_a_link_to_itself_ends_in_one_line(tmp_path: Path, suite: type) -> None:
    (tmp_path / "self").symlink_to("self")

    with pytest.raises(DataError, match="self: no such"):
        suite(data=tmp_path / "self").evaluation(0)


def test_a_class_that_is_a_link_to_what_holds_it_is_none(data: Path) -> None:
    (data / "train" / "loop").symlink_to(data / "train")
    (data / "train" / "up").symlink_to("..")
    (data / "train" / "cat" / "all").symlink_to(data / "train")

    found = class_folders(data / "train", "train")

    assert list_subfolders(data / "train") == ["cat", "dog"]
    assert (len(found), dict(found.passed_over)) == (20, {"link to a folder above it": 3})


def test_folders_that_lead_to_each_other_end_in_one_line(tmp_path: Path) -> None:
    folders = [tmp_path / "images" / str(number) for number in range(8)]
    for folder in folders:
        paint(folder, 1)
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)

    with pytest.raises(DataError, match=r"links lead to .* in over 100 ways"):
        find_images(folders[0])
    assert len(paths_called(f"{tmp_path}/images/**/0.png")) <= 900


def test_a_pattern_goes_through_no_circle_of_links(data: Path) -> None:
    (data / "train" / "cat" / "again").symlink_to(data / "train")
    (data / "train" / "cat" / "itself").symlink_to("itself")
    (data / "more").symlink_to(data / "train" / "dog")

    found = paths_called(f"{data}/**/*.png")

    assert len(found) == 30
    assert data / "more" / "0.png" in found
    assert paths_called("**/0.png") == [
        *(Path("more/0.png"), Path("train/cat/0.png"), Path("train/dog/0.png")),
    ]


def png_of(width: int, height: int, path: Path) -> Path:
    """Write the beginning of a PNG file of that size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (header, b"IDAT" + zlib.compress(b"\0"))
    parts = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.mark.parametrize(
    ("width", "height", "millions"),
    [
        (15_000, 12_000, 180),
        (20_000, 15_000, 300),
        (30_000, 20_000, 600),
        (60_000, 60_000, "3,600"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_huge_image_is_refused_with_its_size_before_it_is_decoded(
    tmp_path: Path, width: int, height: int, millions: int
) -> None:
    path = png_of(width, height, tmp_path / "huge.png")

    said = (
        f"{width:,} x {height:,} pixels are {millions} million, allowed are 179: save it smaller, "
        "or set the environment variable CFFT_MAX_MEGAPIXELS"
    )
    assert image_fault(path) == said
    with pytest.raises(DataError, match=rf"huge\.png: {said}"):
        read_image(path)
    with pytest.raises(DataError, match=rf"huge\.png: {said}"):
        read_binary(path)


def test_a_thin_image_is_refused_with_the_variable_that_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (1, 20_000)).save(tmp_path / "thin.png")

    said = r"1 x 20,000 pixels: one side is over 1,000 times .* CFFT_MAX_SIDE_RATIO"
    with pytest.raises(DataError, match=said):
        read_image(tmp_path / "thin.png")

    monkeypatch.setenv("CFFT_MAX_SIDE_RATIO", "20000")
    assert read_image(tmp_path / "thin.png").size == (1, 20_000)
    monkeypatch.setenv("CFFT_MAX_SIDE_RATIO", "wide")
    with pytest.raises(ConfigError, match="CFFT_MAX_SIDE_RATIO: got 'wide', allowed: a whole"):
        read_image(tmp_path / "thin.png")


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (3, 60_001)])
def test_a_thin_image_that_is_allowed_fills_no_memory(size: tuple[int, int]) -> None:
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    preprocessing = Preprocessing((224, 224), 224, "bicubic", (0, 0, 0), (1, 1, 1))
    middle = (0.5 * size[0], 0.5 * size[1])

    found = image_transform(preprocessing)(image)  # all of it would be 224 x 4,480,000

    assert found.shape == (3, 224, 224)
    expected = image.getpixel((int(middle[0]), int(middle[1])))
    assert abs(int(found[0, 112, 112]) - expected[0]) <= 1
