"""What the walk through image folders passes over: counted, told, and left out of the sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfft.data.folders import find_images, list_subfolders
from cfft.data.images import ImageSubset, class_folders
from cfft.data.sets import training_sets
from cfft.data.verification.verify import verify
from cfft.errors import DataError
from cfft_suites.domains.suite import DomainsSuite
from cfft_suites.folder import FolderSuite


def paint(folder: Path, images: int, first: int = 0, suffix: str = ".png") -> None:
    """Save images of noise; each number is an image of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + images):
        pixels = np.random.default_rng(number).integers(0, 256, (4, 6, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}{suffix}", "png")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ten cats and ten dogs to train on."""
    paint(tmp_path / "train" / "cat", 10)
    paint(tmp_path / "train" / "dog", 10, first=10)
    return tmp_path


def test_what_is_passed_over_is_counted_by_reason(data: Path) -> None:
    cat = data / "train" / "cat"
    paint(cat / "@eaDir" / "0.png", 3)
    paint(cat / ".cache", 2)
    (cat / "Thumbs.db").touch()
    (cat / "notes.TXT").touch()
    (cat / "README").touch()
    (cat / "more").symlink_to(data / "nowhere")
    (cat / "again").symlink_to(cat)

    found = find_images(cat)

    assert found.paths == tuple(f"{number}.png" for number in range(10))
    assert dict(found.passed_over) == {
        "system: @eaDir": 1,
        "system: Thumbs.db": 1,
        "hidden": 1,
        ".txt": 1,
        "no suffix": 1,
        "link that leads nowhere": 1,
        "link to a folder above it": 1,
    }


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir", "#recycle", "$RECYCLE.BIN", "$Recycle.Bin", ".AppleDouble", "__MACOSX"),
        *("lost+found", "System Volume Information", "@Recycle", ".ipynb_checkpoints"),
    ],
)
def test_a_folder_of_the_system_is_neither_a_class_nor_holds_images(data: Path, name: str) -> None:
    paint(data / "train" / name, 2)
    paint(data / "train" / "cat" / name, 2)

    found = class_folders(data / "train", "train")

    assert found.class_names == ("cat", "dog")
    assert len(found) == 20
    assert list(found.passed_over.values()) == [2]


def test_the_parts_of_a_set_say_what_was_passed_over_in_it(data: Path) -> None:
    (data / "train" / "cat" / "a.heic").touch()

    part = ImageSubset(class_folders(data / "train", "train"), (0,), "val")

    assert part.passed_over == {".heic": 1}
    assert len(part.doubts) == 1


def test_images_of_a_format_that_is_not_read_are_a_doubt(data: Path) -> None:
    for number in range(9):
        (data / "train" / "dog" / f"{number}.heic").touch()

    (doubt,) = class_folders(data / "train", "train").doubts

    assert doubt == (
        "set 'train': 9 files with suffix .heic are passed over in class folders dog (9 beside "
        "10 images); convert them if they are images"
    )


@pytest.mark.parametrize(("texts", "doubts"), [(10, 0), (11, 1)])
def test_other_files_are_a_doubt_where_they_outnumber_the_images(
    data: Path, texts: int, doubts: int
) -> None:
    for number in range(texts):
        (data / "train" / "dog" / f"{number}.txt").touch()

    assert len(class_folders(data / "train", "train").doubts) == doubts


def test_images_beside_class_folders_are_a_doubt(data: Path) -> None:
    paint(data / "train", 2)

    found = class_folders(data / "train", "train")

    assert found.doubts == (
        f"set 'train': 2 images lie directly in {data / 'train'}, outside class folders, and left "
        "out",
    )
    assert found.passed_over == {"image outside class folders": 2}


def test_an_empty_class_says_what_was_passed_over_in_it(data: Path) -> None:
    (data / "train" / "owl").mkdir()
    (data / "train" / "owl" / "a.heic").touch()

    found = class_folders(data / "train", "train")

    assert found.faults[0].endswith("; passed over: 1 .heic")
    assert found.doubts == ()


def test_a_link_that_leads_nowhere_does_not_make_its_class_vanish(data: Path) -> None:
    (data / "train" / "bird").symlink_to(data / "unmounted" / "bird")

    found = class_folders(data / "train", "train")

    assert found.class_names == ("bird", "cat", "dog")
    assert found.faults == (
        f"set 'train': {data}/train/bird is a link to {data}/unmounted/bird, which is not there: "
        "restore what it leads to, or remove the link",
    )
    with pytest.raises(DataError, match=r"train/bird is a link to .*, which is not there"):
        training_sets(FolderSuite(data=data), 0)


def test_a_link_of_a_set_that_leads_nowhere_is_told(data: Path) -> None:
    (data / "ood").mkdir()
    (data / "ood" / "snow").symlink_to(data / "unmounted")
    (data / "test").symlink_to(data / "unmounted")

    with pytest.raises(DataError, match=r"(?s)test is a link to .*ood/snow is a link to"):
        training_sets(FolderSuite(data=data), 0)


def test_a_link_of_a_domain_that_leads_nowhere_is_told(data: Path) -> None:
    paint(data / "photo" / "cat", 10)
    paint(data / "photo" / "dog", 10)
    (data / "sketch").symlink_to(data / "unmounted")

    with pytest.raises(DataError, match=r"sketch is a link to .*, which is not there"):
        training_sets(DomainsSuite(data=data, id="photo"), 0)


def test_a_file_of_which_only_the_link_is_left_is_no_class(data: Path) -> None:
    (data / "train" / "labels.csv").symlink_to(data / "nowhere.csv")
    (data / "train" / "itself.txt").symlink_to(data / "train" / "itself.txt")

    assert list_subfolders(data / "train") == ["cat", "dog"]


def test_verify_tells_what_is_passed_over_once_for_a_set_that_is_divided(data: Path) -> None:
    (data / "train" / "dog" / "a.heic").touch()
    paint(data / "train" / "dog" / "@eaDir", 3)

    found = verify(FolderSuite(data=data), 0)

    assert [each.passed_over for each in found.sets] == [{".heic": 1, "system: @eaDir": 1}, {}, {}]
    assert found.problems == ()
    assert found.record()["warnings"] == [
        "set 'train': 1 file with suffix .heic is passed over in class folders dog (1 beside "
        "10 images); convert them if they are images"
    ]


NFC, NFD = "caf\u00e9", "cafe\u0301"


def test_a_class_may_be_spelt_with_its_accents_apart(tmp_path: Path) -> None:
    paint(tmp_path / "train" / NFC, 10)
    paint(tmp_path / "train" / "dog", 10, first=10)
    paint(tmp_path / "test" / NFD, 3, first=20)
    (tmp_path / "classes.toml").write_text(f'dog = "hound"\n"{NFD}" = "bar"\n')

    sets = FolderSuite(data=tmp_path).open(0)

    assert sets.classes == ("bar", "hound")
    assert sets.test.labels == (0, 0, 0)
    assert training_sets(FolderSuite(data=tmp_path), 0).test.classes == (0,)


@pytest.mark.parametrize("part", ["train", "test"])
def test_two_spellings_of_one_class_in_a_set_are_refused(data: Path, part: str) -> None:
    paint(data / "train" / NFC, 10, first=20)
    paint(data / part / NFC, 10, first=20)
    paint(data / part / NFD, 3, first=40)

    with pytest.raises(DataError, match=r"two class folders are called .*\(Unicode NFC and NFD\)"):
        training_sets(FolderSuite(data=data), 0)


def test_class_names_in_utf_16_are_said_to_be_so(data: Path) -> None:
    (data / "classes.txt").write_text("cat\ndog\n", "utf-16")

    with pytest.raises(DataError, match=r"classes.txt: is UTF-16: save it as UTF-8"):
        training_sets(FolderSuite(data=data), 0)
