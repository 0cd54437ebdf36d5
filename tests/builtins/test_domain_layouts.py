"""`domains` reads PACS, Office-Home, VLCS and DomainNet as their archives unpack."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from cfft import ConfigError, DataError, ImageSet
from cfft.data.sets import training_sets
from cfft.data.verification.verify import verify
from cfft_suites.domains.suite import DomainsSuite


def paint(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        Image.new("RGB", (2, 2)).save(folder / name)


def files(*sets: ImageSet) -> list[str]:
    return sorted(images.identify(i) for images in sets for i in range(len(images)))


THREE = ("a.png", "b.png", "c.png")


def test_office_home_has_a_domain_with_a_space_and_lists_beside_the_domains(
    tmp_path: Path,
) -> None:
    paint(tmp_path / "Real World" / "Alarm_Clock", *THREE)
    paint(tmp_path / "Real World" / "Bed", *THREE)
    paint(tmp_path / "Art" / "Bed", *THREE)
    (tmp_path / "ImageInfo.csv").touch()
    (tmp_path / "__MACOSX" / "Art").mkdir(parents=True)

    sets = DomainsSuite(data=tmp_path, id="Real World").open(0)

    assert sets.classes == ("Alarm_Clock", "Bed")
    assert (sets.test.name, [each.name for each in sets.ood]) == ("Real World", ["Art"])


def test_pacs_has_lists_of_its_splits_beside_the_domains(tmp_path: Path) -> None:
    paint(tmp_path / "photo" / "dog", *THREE)
    paint(tmp_path / "photo" / "person", *THREE)
    paint(tmp_path / "art_painting" / "dog", *THREE)
    (tmp_path / "photo_train_kfold.txt").write_text("photo/dog/a.png 1\n")

    sets = DomainsSuite(data=tmp_path, id="photo").open(0)

    assert len(files(sets.train, sets.val, sets.test)) == 6


@pytest.fixture
def vlcs(tmp_path: Path) -> Path:
    """Two domains as the archive has them: `full` is train and crossval, `test` is beside it."""
    for domain in ("SUN", "LABELME"):
        for label in ("0", "1"):
            paint(tmp_path / domain / "train" / label, "train_imgs_1.png", "train_imgs_2.png")
            paint(tmp_path / domain / "crossval" / label, "crossval_imgs_1.png")
            paint(
                tmp_path / domain / "full" / label,
                *("train_imgs_1.png", "train_imgs_2.png", "crossval_imgs_1.png"),
            )
            paint(tmp_path / domain / "test" / label, "test_imgs_1.png")
    return tmp_path


def names(*sets: ImageSet) -> list[str]:
    """Return the images' class and file."""
    return sorted("/".join(file.split("/")[-2:]) for file in files(*sets))


WHOLE = sorted(
    f"{label}/{file}.png"
    for label in (0, 1)
    for file in ("crossval_imgs_1", "test_imgs_1", "train_imgs_1", "train_imgs_2")
)


@pytest.mark.parametrize("lacking", [(), ("full",), ("train",), ("train", "crossval")])
def test_every_image_of_vlcs_is_read_once_whichever_parts_repeat_others(
    vlcs: Path, lacking: tuple[str, ...]
) -> None:
    for part in lacking:
        shutil.rmtree(vlcs / "SUN" / part)

    sets = DomainsSuite(data=vlcs, id="SUN").open(0)

    assert names(sets.train, sets.val, sets.test) == WHOLE
    assert [(each.name, names(each)) for each in sets.ood] == [("LABELME", WHOLE)]


def test_vlcs_without_full_is_read_from_all_of_its_parts(tmp_path: Path) -> None:
    paint(tmp_path / "SUN" / "train" / "0", "a.png")
    paint(tmp_path / "SUN" / "train" / "1", "b.png")
    paint(tmp_path / "SUN" / "crossval" / "1", "b.png")
    paint(tmp_path / "SUN" / "test" / "1", "b.png")
    paint(tmp_path / "CALTECH" / "0", *THREE)
    paint(tmp_path / "CALTECH" / "1", *THREE)

    (sun,) = DomainsSuite(data=tmp_path, id="CALTECH").open(0).ood

    assert files(sun) == ["crossval/1/b.png", "test/1/b.png", "train/0/a.png", "train/1/b.png"]
    assert (sun.labels, sun.classes) == ((0, 1, 1, 1), (0, 1))
    assert sun.read(3).size == (2, 2)


def test_vlcs_with_class_folders_alone_is_read_as_any_domain(tmp_path: Path) -> None:
    paint(tmp_path / "VOC2007" / "bird", *THREE)
    paint(tmp_path / "VOC2007" / "car", *THREE)

    assert DomainsSuite(data=tmp_path, id="VOC2007").open(0).classes == ("bird", "car")


@pytest.fixture
def domainnet(tmp_path: Path) -> Path:
    """Two domains with a class called train, and the lists that DomainNet has."""
    for domain in ("real", "sketch"):
        paint(tmp_path / domain / "test", *THREE, "d.png")
        paint(tmp_path / domain / "train", *THREE, "d.png")
        listed = {"train": ("a", "b", "c"), "test": ("d",)}
        for part, names in listed.items():
            lines = [
                f"{domain}/{c}/{n}.png {i}" for i, c in enumerate(("test", "train")) for n in names
            ]
            (tmp_path / f"{domain}_{part}.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_domainnet_has_classes_called_like_parts(domainnet: Path) -> None:
    sets = DomainsSuite(data=domainnet, id="real").open(0)

    assert sets.classes == ("test", "train")
    assert [len(each) for each in sets.ood] == [8]


def test_domainnet_is_divided_by_its_lists_where_that_is_asked(domainnet: Path) -> None:
    sets = DomainsSuite(data=domainnet, id="real", lists=True).open(0)

    assert files(sets.test) == ["test/d.png", "train/d.png"]
    assert {name[-5:] for name in files(sets.train, sets.val)} == set(THREE)
    assert [(each.name, files(each)) for each in sets.ood] == [
        ("sketch", ["test/d.png", "train/d.png"])
    ]


def test_listed_images_that_are_not_there_are_counted_for_every_domain(domainnet: Path) -> None:
    (domainnet / "real" / "train" / "a.png").unlink()
    (domainnet / "sketch" / "train" / "d.png").unlink()

    with pytest.raises(DataError, match=r"real_train.txt lists 6 images, 1 of them not there: "):
        training_sets(DomainsSuite(data=domainnet, id="real", lists=True), 0)
    with pytest.raises(DataError, match=r"sketch_test.txt lists 2 .*: sketch/train/d.png"):
        training_sets(DomainsSuite(data=domainnet, id="sketch", lists=True), 0)


def test_lists_that_are_not_there_are_named(domainnet: Path) -> None:
    (domainnet / "real_train.txt").unlink()

    with pytest.raises(DataError, match=r"--lists needs real_train.txt or real_train_kfold.txt in"):
        training_sets(DomainsSuite(data=domainnet, id="real", lists=True), 0)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "real_test",
            "real/test/a.png 0\n",
            r"shares 1 of its images with real_train.txt, .*a.p",
        ),
        ("real_test", "\n", r"real_test.txt lists no images"),
        (
            "real_test",
            "real/test/d.png\n",
            r"line 1: 'real/test/d.png' is not DOMAIN/CLASS/FILE NUM",
        ),
        ("real_test", "real/test/d.png 0.5\n", r"line 1: .* is not DOMAIN/CLASS/FILE NUMBER"),
        ("real_test", "real/test/d.png 0\n" * 2, r"line 2: real/test/d.png is listed twice"),
        ("real_test", "real/test/d.png 1\n", r"'test' has number 1, in real_train.txt 0: .*belong"),
        ("real_train", "real/test/a.png 0\nreal/test/b.png 1\n", r"'test' has the numbers 0 and 1"),
        ("real_train", "real/test/a.png 0\nreal/train/a.png 0\n", r"0 means 'test' and 'train'"),
        ("sketch_test", "sketch/train/d.png 0\n", r"sketch_test.txt: class 'train' has number 0"),
    ],
)
def test_lists_that_make_no_sense_are_refused(
    domainnet: Path, name: str, text: str, message: str
) -> None:
    (domainnet / f"{name}.txt").write_text(text)

    with pytest.raises(DataError, match=message):
        training_sets(DomainsSuite(data=domainnet, id="real", lists=True), 0)


@pytest.fixture
def pacs(tmp_path: Path) -> Path:
    """Two domains of dogs and persons, and a folder of lists as PACS has them, counted from 1."""
    for domain in ("photo", "sketch"):
        paint(tmp_path / domain / "dog", *THREE, "d.png")
        paint(tmp_path / domain / "person", *THREE, "d.png")
        for part, letters in (("train", "abc"), ("crossval", "d"), ("test", "abcd")):
            lines = [
                f"{domain}/{c}/{x}.png {i}" for i, c in ((1, "dog"), (7, "person")) for x in letters
            ]
            path = tmp_path / "splits" / f"{domain}_{part}_kfold.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text("\n".join(lines))
    return tmp_path


def test_lists_of_pacs_train_and_test_on_other_images_and_on_whole_domains(pacs: Path) -> None:
    sets = DomainsSuite(data=pacs, id="photo", lists=True).open(0)

    assert {name[-5:] for name in files(sets.train, sets.val)} == set(THREE)
    assert files(sets.test) == ["dog/d.png", "person/d.png"]
    assert [(each.name, len(each)) for each in sets.ood] == [("sketch", 8)]


def test_a_folder_of_lists_is_no_domain(pacs: Path) -> None:
    sets = DomainsSuite(data=pacs, id="photo").open(0)

    assert [each.name for each in sets.ood] == ["sketch"]
    with pytest.raises(ConfigError, match=r"unknown domain 'splits'.*: photo, sketch"):
        DomainsSuite(data=pacs, id="splits").open(0)


def test_empty_classes_of_several_domains_are_named_together(domainnet: Path) -> None:
    (domainnet / "real" / "zebra").mkdir()
    (domainnet / "sketch" / "zebra").mkdir()

    with pytest.raises(DataError, match=r"(?s)real.zebra.*sketch.zebra"):
        training_sets(DomainsSuite(data=domainnet, id="real"), 0)


@pytest.mark.parametrize(
    ("benchmark", "domains", "images"),
    [("pacs", 4, 9991), ("office-home", 4, 15588), ("vlcs", 4, 10729), ("domainnet", 6, 586575)],
)
def test_published_counts_add_up_to_the_published_totals(
    benchmark: str, domains: int, images: int
) -> None:
    expected = DomainsSuite(data=Path("data"), benchmark=benchmark).expected()

    assert len(expected) == domains
    assert sum(each.images for each in expected.values()) == images


def test_vlcs_is_compared_under_the_names_that_the_folders_have(vlcs: Path) -> None:
    found = verify(DomainsSuite(data=vlcs, id="SUN", benchmark="vlcs"), 0, decode=False)

    assert "set 'LABELME': 8 of 2,656 images, 2,648 are missing" in found.problems
    assert set(found.absent) == {"CALTECH", "PASCAL"}


def test_numbered_classes_of_vlcs_are_called_as_the_others_call_them(vlcs: Path) -> None:
    for label in ("2", "3", "4"):
        paint(vlcs / "SUN" / "full" / label, *THREE)
        paint(vlcs / "SUN" / "train" / label, *THREE)

    named = DomainsSuite(data=vlcs, id="SUN").open(0).classes
    (vlcs / "classes.txt").write_text("Vogel\nAuto\nStuhl\nHund\nMensch\n")

    assert named == ("bird", "car", "chair", "dog", "person")
    assert DomainsSuite(data=vlcs, id="SUN").open(0).classes[0] == "Vogel"
