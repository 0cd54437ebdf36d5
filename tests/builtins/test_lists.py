"""The suite `lists`: CSV files and list files as people have them, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cfft import ConfigError, DataError, ImageSet
from cfft.data.sets import evaluation_sets, training_sets
from cfft.data.verification.verify import verify
from cfft.testing import check_strategy
from cfft_suites.lists.suite import ListsSuite

Lay = Callable[..., None]


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    """Return `lay(*paths)`, which saves an image of its own at each path."""

    def put(*paths: str) -> None:
        for path in paths:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            rng = np.random.default_rng([*path.encode()])
            Image.fromarray(rng.integers(0, 256, (4, 6, 3), np.uint8)).save(file)

    return put


def write(file: Path, *lines: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines), "utf-8")
    return file


def named(images: ImageSet | None) -> dict[str, int]:
    assert images is not None
    return {images.identify(i): label for i, label in enumerate(images.labels)}


@pytest.fixture
def pets(tmp_path: Path, lay: Lay) -> Path:
    """Two cats and two dogs to train on, one of each to validate and to test on."""
    lay("a.png", "b.png", "c.png", "d.png", "e.png", "f.png", "g.png", "h.png")
    lines = [
        *("a.png,cat,train", "b.png,cat,train", "c.png,dog,train", "d.png,dog,train"),
        *("e.png,cat,val", "f.png,dog,val", "g.png,cat,test", "h.png,dog,test"),
    ]
    return write(tmp_path / "labels.csv", "path,label,split", *lines)


def test_a_csv_keeps_the_rules_of_suites(pets: Path) -> None:
    check_strategy(ListsSuite, {"data": pets})


def test_a_csv_with_splits_gives_train_val_and_test(pets: Path) -> None:
    sets = training_sets(ListsSuite(data=pets), 0)

    assert sets.classes == ("cat", "dog")
    assert named(sets.train) == {"a.png": 0, "b.png": 0, "c.png": 1, "d.png": 1}
    assert named(sets.val) == {"e.png": 0, "f.png": 1}
    assert named(sets.test) == {"g.png": 0, "h.png": 1}
    assert sets.test.read(0).size == (6, 4)


def test_training_and_measuring_open_the_same_test_set(pets: Path) -> None:
    suite = ListsSuite(data=pets)

    assert named(evaluation_sets(suite, 3).test) == named(training_sets(suite, 3).test)


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("filepath,class,subset", ","),
        ("File Name;Category;Split", ";"),
        ("image\tclass_name\tpartition", "\t"),
        ("filepaths,labels,data set", ","),
        ("\ufeffpath,target,split", ","),
    ],
)
def test_usual_columns_are_known_in_any_case_and_with_any_delimiter(
    pets: Path, header: str, delimiter: str
) -> None:
    lines = pets.read_text("utf-8").replace(",", delimiter).splitlines()
    write(pets, header, *lines[1:])

    assert len(training_sets(ListsSuite(data=pets), 0).train) == 4


def test_columns_may_be_named(pets: Path) -> None:
    lines = pets.read_text("utf-8").splitlines()
    write(pets, "where,breed,part", *lines[1:])

    suite = ListsSuite(data=pets, image_column="where", label_column="Breed", split_column="part")

    assert len(training_sets(suite, 0).train) == 4


def test_columns_of_splits_and_domains_may_be_left_unread(domains: Path) -> None:
    sets = training_sets(ListsSuite(data=domains, split_column="", domain_column=""), 0)

    assert [len(each) for each in (sets.train, sets.val, sets.test)] == [12, 2, 2]
    assert sets.ood == ()


def test_of_two_columns_of_classes_that_agree_the_one_with_words_is_taken(pets: Path) -> None:
    write(pets, "image,label,category,split", "a.png,0,cat,train", "c.png,1,dog,train")

    assert class_names(pets) == ("cat", "dog")


def class_names(data: Path, **values: Path) -> tuple[str, ...]:
    return ListsSuite(data=data, **values).open(0).classes


def test_two_columns_of_classes_that_disagree_are_refused(pets: Path) -> None:
    write(pets, "image,class,label", "a.png,x,cat", "b.png,x,dog")

    with pytest.raises(DataError, match=r"'class' and 'label' may both hold .*--label-column"):
        training_sets(ListsSuite(data=pets), 0)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("where,label,split", "like one of images' paths: .*--image-column.*where, label, split"),
        ("path,breed,split", "like one of classes: .*--label-column; its columns: path, breed, sp"),
    ],
)
def test_a_missing_column_is_told_with_those_that_there_are(
    pets: Path, header: str, message: str
) -> None:
    lines = pets.read_text("utf-8").splitlines()
    write(pets, header, *lines[1:])

    with pytest.raises(DataError, match=message):
        training_sets(ListsSuite(data=pets), 0)


def test_a_column_that_is_asked_for_and_not_there_is_told(pets: Path) -> None:
    with pytest.raises(DataError, match=r"--label-column: unknown column 'lable'; did you mean 'l"):
        training_sets(ListsSuite(data=pets, label_column="lable"), 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("i.png,cat", r"line 10 is not of its 3 columns \(path, label, split\): 'i.png,cat'"),
        ("i.png,,train", "line 10 is without a value of 'label': 'i.png,,train'"),
        ("i.png,cat,", "line 10 is without a value of 'split'"),
    ],
)
def test_a_line_that_does_not_fit_is_named(pets: Path, line: str, message: str) -> None:
    write(pets, *pets.read_text("utf-8").splitlines(), line)

    with pytest.raises(DataError, match=message):
        training_sets(ListsSuite(data=pets), 0)


def test_utf_16_is_named(pets: Path) -> None:
    pets.write_text(pets.read_text("utf-8"), "utf-16")

    with pytest.raises(DataError, match=r"labels.csv: is UTF-16: save it as UTF-8"):
        training_sets(ListsSuite(data=pets), 0)


def test_utf_16_without_its_mark_is_named(pets: Path) -> None:
    pets.write_bytes(pets.read_text("utf-8").encode("utf-16-le"))

    with pytest.raises(DataError, match=r"labels.csv: is UTF-16: save it as UTF-8"):
        training_sets(ListsSuite(data=pets), 0)


def test_numbers_that_a_join_made_floats_are_numbers(tmp_path: Path, lay: Lay) -> None:
    names = [f"{at}.png" for at in range(22)]
    lay(*names)
    lines = [f"{name},{at // 2}.0" for at, name in enumerate(names)]
    table = write(tmp_path / "labels.csv", "path,label", *lines)

    assert class_names(table) == tuple(map(str, range(11)))


def test_one_number_in_two_spellings_is_refused(tmp_path: Path, lay: Lay) -> None:
    lay("a.png", "b.png", "c.png")
    table = write(tmp_path / "labels.csv", "path,label", "a.png,1", "b.png,01", "c.png,2")

    with pytest.raises(DataError, match=r"classes '.*1' and '.*1' are one number in two spellings"):
        training_sets(ListsSuite(data=table), 0)


def test_folds_are_no_parts(tmp_path: Path, lay: Lay) -> None:
    lay("a.png", "b.png")
    table = write(tmp_path / "labels.csv", "path,label,set", "a.png,cat,0", "b.png,dog,1")

    with pytest.raises(DataError, match=r"2 lines are of no part in column 'set' .*--split-column"):
        training_sets(ListsSuite(data=table), 0)


def test_a_line_that_names_the_separator_is_no_header(pets: Path) -> None:
    first, *rest = pets.read_text("utf-8").splitlines()
    write(pets, "sep=,", first, *rest)

    assert class_names(pets) == ("cat", "dog")


def test_a_table_without_classes_says_so(tmp_path: Path, lay: Lay) -> None:
    lay("a.png")
    table = write(tmp_path / "test.csv", "image_id", "a.png")

    with pytest.raises(DataError, match="it has no classes, its only column is 'image_id'"):
        training_sets(ListsSuite(data=table), 0)


def test_another_encoding_is_named_with_its_line(pets: Path) -> None:
    pets.write_bytes(b"path,label\na.png,caf\xe9\n")

    with pytest.raises(DataError, match=r"labels.csv: line 2: not UTF-8"):
        training_sets(ListsSuite(data=pets), 0)


def test_a_quoted_path_may_hold_delimiters_and_spaces(tmp_path: Path, lay: Lay) -> None:
    lay("my cat, asleep.png", "my dog.png")
    write(tmp_path / "test.csv", "path,label", '"my cat, asleep.png",cat', "my dog.png,dog")

    found = evaluation_sets(ListsSuite(data=tmp_path / "test.csv"), 0)

    assert named(found.test) == {"my cat, asleep.png": 0, "my dog.png": 1}


def test_two_columns_without_a_header_are_path_and_label(tmp_path: Path, lay: Lay) -> None:
    lay("shirt1.jpg", "bag1.jpg")
    write(tmp_path / "test.csv", "shirt1.jpg, 0", "bag1.jpg, 1")

    found = evaluation_sets(ListsSuite(data=tmp_path / "test.csv"), 0)

    assert (found.classes, named(found.test)) == (("0", "1"), {"shirt1.jpg": 0, "bag1.jpg": 1})


def test_without_splits_parts_are_drawn_from_the_seed(tmp_path: Path, lay: Lay) -> None:
    lay(*(f"{n}.png" for n in range(20)))
    lines = (f"{n}.png,{'cat' if n % 2 else 'dog'}" for n in range(20))
    suite = ListsSuite(data=write(tmp_path / "pets.csv", "path,label", *lines))

    sets = training_sets(suite, 0)

    assert [len(each) for each in (sets.train, sets.val, sets.test)] == [14, 2, 4]
    assert named(sets.test) == named(evaluation_sets(suite, 0).test)
    assert named(sets.test) != named(evaluation_sets(suite, 1).test)


def test_another_word_in_the_column_of_splits_is_an_ood_set(pets: Path, lay: Lay) -> None:
    lay("snow.png")
    write(pets, *pets.read_text("utf-8").splitlines(), "snow.png,dog,snow")

    (snow,) = training_sets(ListsSuite(data=pets), 0).ood

    assert (snow.name, named(snow), snow.classes) == ("snow", {"snow.png": 1}, (1,))


@pytest.fixture
def domains(tmp_path: Path, lay: Lay) -> Path:
    """Cats and dogs in photos and sketches, with a test image of each."""
    lines = ["path,label,domain,split"]
    for domain in ("photo", "sketch"):
        for animal in ("cat", "dog"):
            for name, split in (("a", "train"), ("b", "train"), ("c", "val"), ("d", "test")):
                lay(f"{domain}/{animal}/{name}.png")
                lines.append(f"{domain}/{animal}/{name}.png,{animal},{domain},{split}")
    return write(tmp_path / "labels.csv", *lines)


def test_another_domain_is_tested_on_its_test_images(domains: Path) -> None:
    sets = training_sets(ListsSuite(data=domains, id="photo"), 0)

    assert [len(each) for each in (sets.train, sets.val, sets.test)] == [4, 2, 2]
    assert [(each.name, [*named(each)]) for each in sets.ood] == [
        ("sketch", ["sketch/cat/d.png", "sketch/dog/d.png"])
    ]


def test_domains_may_be_taken_together(domains: Path) -> None:
    sets = training_sets(ListsSuite(data=domains, id="all"), 0)

    assert (len(sets.train), len(sets.test), sets.ood) == (8, 4, ())


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (None, r"no domain chosen \(--id\); domains in .*: photo, sketch; --id all"),
        ("foto", "unknown domain 'foto'; did you mean 'photo'"),
    ],
)
def test_the_domain_has_to_be_chosen(domains: Path, chosen: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        training_sets(ListsSuite(data=domains, id=chosen), 0)


def test_imagenets_val_txt_is_measured_with_names_of_its_numbers(tmp_path: Path, lay: Lay) -> None:
    lay("images/ILSVRC2012_val_00000001.JPEG", "images/ILSVRC2012_val_00000002.JPEG")
    lists = tmp_path / "caffe"
    write(lists / "val.txt", "ILSVRC2012_val_00000001.JPEG 2", "ILSVRC2012_val_00000002.JPEG 0")
    names = write(lists / "names.txt", "tench", "goldfish", "great white shark")

    suite = ListsSuite(data=lists / "val.txt", root=tmp_path / "images", classes=names)
    found = evaluation_sets(suite, 0)

    assert found.classes == ("tench", "goldfish", "great white shark")
    assert found.test is not None
    assert (found.test.name, found.test.labels) == ("val", (2, 0))


@pytest.fixture
def domainnet(tmp_path: Path, lay: Lay) -> Path:
    """Lists of two domains, in the form of DomainNet."""
    for domain in ("clipart", "real"):
        for part, name in (("train", "a"), ("train", "b"), ("test", "c")):
            lay(f"{domain}/Alarm Clock/{name}.png", f"{domain}/bed/{name}.png")
            with (tmp_path / f"{domain}_{part}.txt").open("a") as lines:
                lines.write(f"{domain}/Alarm Clock/{name}.png 0\n{domain}/bed/{name}.png 1\n")
    return tmp_path


def test_lists_of_domainnet_are_read_with_classes_called_as_folders(domainnet: Path) -> None:
    sets = training_sets(ListsSuite(data=domainnet, id="real"), 0)

    assert sets.classes == ("Alarm Clock", "bed")
    assert named(sets.test) == {"real/Alarm Clock/c.png": 0, "real/bed/c.png": 1}
    assert [(each.name, [*named(each)]) for each in sets.ood] == [
        ("clipart", ["clipart/Alarm Clock/c.png", "clipart/bed/c.png"])
    ]


def test_another_list_may_name_classes_that_training_numbers(domainnet: Path) -> None:
    write(domainnet / "clipart_test.csv", "path,label", "clipart/bed/c.png,bed")
    (domainnet / "clipart_test.txt").unlink()

    (clipart,) = training_sets(ListsSuite(data=domainnet, id="real"), 0).ood

    assert named(clipart) == {"clipart/bed/c.png": 1}


def test_lists_that_number_classes_otherwise_are_refused(domainnet: Path) -> None:
    write(domainnet / "clipart_test.txt", "clipart/Alarm Clock/c.png 1")

    with pytest.raises(DataError, match="number 1 is 'Alarm Clock' here and 'bed' in training"):
        training_sets(ListsSuite(data=domainnet, id="real"), 0)


def test_several_lists_are_several_sets(tmp_path: Path, lay: Lay) -> None:
    lay("1.png", "2.png", "3.png", "4.png", "5.png", "6.png")
    write(tmp_path / "train.txt", "1.png cat", "2.png dog")
    write(tmp_path / "valid.txt", "3.png cat")
    write(tmp_path / "test_list.txt", "4.png cat", "5.png dog")
    write(tmp_path / "snow.txt", "6.png dog")
    write(tmp_path / "README.txt", "Not a list.")

    suite = ListsSuite(data=tmp_path)
    sets = training_sets(suite, 0)

    assert [(each.name, len(each)) for each in (sets.train, sets.val, sets.test, *sets.ood)] == [
        *(("train", 2), ("val", 1), ("test", 2), ("snow", 1)),
    ]
    assert suite.unread() == ("README.txt",)


def test_lists_of_a_folder_may_be_chosen(tmp_path: Path, lay: Lay) -> None:
    lay("1.png", "2.png")
    write(tmp_path / "test.txt", "1.png cat", "2.png dog")
    write(tmp_path / "notes.txt", "This is no list")

    suite = ListsSuite(data=tmp_path, files=("test.txt",))

    assert [each.name for each in evaluation_sets(suite, 0).present] == ["test"]
    assert suite.unread() == ("notes.txt",)
    with pytest.raises(DataError, match=r"files: unknown list 'tests.txt'; did you mean 'test.tx"):
        evaluation_sets(ListsSuite(data=tmp_path, files=("tests.txt",)), 0)


def test_a_line_without_a_label_has_the_class_of_its_folder(tmp_path: Path, lay: Lay) -> None:
    lay("images/apple pie/1005649.jpg", "images/bibimbap/1009.jpg")
    write(tmp_path / "meta" / "test.txt", "apple pie/1005649", "bibimbap/1009.jpg")

    found = evaluation_sets(ListsSuite(data=tmp_path / "meta", root=tmp_path / "images"), 0)

    assert found.classes == ("apple pie", "bibimbap")
    assert named(found.test) == {"apple pie/1005649.jpg": 0, "bibimbap/1009.jpg": 1}


def test_paths_may_be_absolute_or_begin_with_home_and_hold_spaces(
    tmp_path: Path, lay: Lay, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay("one cat.png", "home/a dog.png", "lists/third.png")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    lines = (f"{tmp_path}/one cat.png cat", "~/a dog.png dog", "./third.png cat")

    found = evaluation_sets(ListsSuite(data=write(tmp_path / "lists" / "test.txt", *lines)), 0)

    assert named(found.test) == {
        f"{tmp_path}/one cat.png": 0,
        f"{tmp_path}/home/a dog.png": 1,
        "third.png": 0,
    }
    assert found.test is not None
    assert [found.test.read(index).size for index in range(3)] == [(6, 4)] * 3


def test_numbers_are_named_in_the_order_of_classes_txt_beside_the_list(pets: Path) -> None:
    write(pets, "path,label", "a.png,1", "b.png,0")
    write(pets.parent / "classes.txt", "owl", "cat")

    sets = ListsSuite(data=pets).open(0)

    assert sets.classes == ("owl", "cat")
    assert named(sets.train) == {"a.png": 1, "b.png": 0}


def test_labels_may_be_named_one_by_one(pets: Path) -> None:
    write(pets, "path,label", "a.png,n02", "b.png,n01")
    names = write(pets.parent / "names.txt", "n02\tdog", "n01\tcat")

    assert class_names(pets, classes=names) == ("cat", "dog")


def test_numbers_that_count_from_1_are_not_shifted_silently(pets: Path) -> None:
    write(pets, "path,label", "a.png,1", "b.png,2")
    write(pets.parent / "classes.txt", "cat", "dog")

    with pytest.raises(DataError, match=r"count from 1 to 2: write lines number<TAB>name"):
        training_sets(ListsSuite(data=pets), 0)


def test_a_label_without_a_name_is_told(pets: Path) -> None:
    write(pets.parent / "classes.txt", "dog", "cats")

    with pytest.raises(DataError, match=r"'train' has labels .* 2 classes: 'cat' \(2\); .*'cats'"):
        training_sets(ListsSuite(data=pets), 0)


def test_a_class_that_training_lacks_is_told(pets: Path) -> None:
    pets.write_text(pets.read_text("utf-8").replace("h.png,dog", "h.png,dogs"))

    with pytest.raises(DataError, match=r"'test' has labels .*'dogs' \(1\); did you mean 'dog'"):
        training_sets(ListsSuite(data=pets), 0)


def test_accents_that_are_stored_in_two_ways_are_one_class_and_one_file(
    tmp_path: Path, lay: Lay
) -> None:
    lay("cafe\u0301.png", "2.png", "3.png")
    lines = ("caf\u00e9.png,caf\u00e9", "2.png,cafe\u0301", "3.png,dog")
    data = write(tmp_path / "test.csv", "path,label", *lines)

    assert len(evaluation_sets(ListsSuite(data=data), 0).classes) == 2


def test_missing_images_are_counted_and_the_first_named(tmp_path: Path, lay: Lay) -> None:
    lay("0.png", "1.png")
    lines = (f"{n}.png,{'cat' if n % 2 else 'dog'},test" for n in range(3000))
    data = write(tmp_path / "labels.csv", "path,label,split", *lines)

    with pytest.raises(
        DataError, match=r"lists 3,000 images, 2,998 of them not there: 2.png, 3."
    ) as e:
        evaluation_sets(ListsSuite(data=data), 0)

    assert f"and 2,993 more; paths start from {tmp_path} (--root)" in str(e.value)


@pytest.mark.parametrize(
    ("there", "listed", "said"),
    [
        ("0007.jpg", "7", "did you mean 0007.jpg for 7?"),
        ("images/0007.jpg", "7", "did you mean images/0007.jpg for 7?"),
        ("a.JPG", "a.jpg", "did you mean a.JPG for a.jpg?"),
        ("Dog.jpg", "dog", "did you mean Dog.jpg for dog?"),
        ("a.jpeg", "a.jpg", "did you mean a.jpeg for a.jpg?"),
        ("Images/cat/a.jpg", "images/cat/a.jpg", "did you mean Images/cat/a.jpg for images/"),
        ("cat/0.jpg", "cat/x.jpg", "/cat holds 1 images: 0.jpg"),
        ("cat/0.jpg", "x.jpg", " holds the folders cat"),
        ("cat/0.jpg", "dogs/x.jpg", "there is no folder "),
        ("cat/0.jpg", "/nowhere/x.jpg", "there is no folder /nowhere"),
    ],
)
def test_missing_images_are_told_with_what_is_there(
    tmp_path: Path, lay: Lay, there: str, listed: str, said: str
) -> None:
    lay(there)
    data = write(tmp_path / "test.csv", "id,label", f"{listed},cat")

    with pytest.raises(DataError, match=r"1 of them not there: .* \(--root\); ") as caught:
        evaluation_sets(ListsSuite(data=data), 0)

    assert said in str(caught.value)


def test_a_link_that_leads_nowhere_is_said_to_be_one(pets: Path) -> None:
    (pets.parent / "a.png").unlink()
    (pets.parent / "a.png").symlink_to("nowhere.png")

    (found,) = verify(ListsSuite(data=pets), 0).unreadable

    assert found.reason.startswith("it is a link to nowhere.png, which is not there")


def test_a_list_without_classes_names_the_lists_that_have_them(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "id,label", "1,cat", "2,dog")
    write(tmp_path / "val.csv", "id,label", "3,cat", "4,dog")
    write(tmp_path / "test.csv", "id", "5")

    with pytest.raises(DataError) as caught:
        training_sets(ListsSuite(data=tmp_path), 0)

    assert caught.value.problems == (
        f"{tmp_path}/test.csv: it has no classes, its only column is 'id': it cannot be measured "
        "on",
        "read the other lists alone: --files train.csv,val.csv",
    )


def test_files_that_are_not_read_are_not_called_folders(
    pets: Path, cfft_command: Callable[..., Any]
) -> None:
    write(pets.parent / "sample_submission.csv", "id,label", "1,cat")

    ended = cfft_command("data", "verify", "lists", str(pets.parent))

    assert "ignored files (no lists of images): sample_submission.csv" in ended.out.splitlines()


def test_a_column_for_each_class_names_the_classes(tmp_path: Path, lay: Lay) -> None:
    lay("0.png", "1.png", "2.png")
    rows = ("0.png,test,1.0,0.0,0.0", "1.png,test,0.0,0.0,1.0", "2.png,test,0,1,0")
    data = write(tmp_path / "labels.csv", "image,split,MEL,NV,BCC", *rows)

    found = evaluation_sets(ListsSuite(data=data), 0)

    assert found.classes == ("BCC", "MEL", "NV")
    assert named(found.test) == {"0.png": 1, "1.png": 0, "2.png": 2}


@pytest.mark.parametrize("row", ["2.png,1,1,0", "2.png,0,0,0"])
def test_a_row_of_several_classes_or_none_is_named(tmp_path: Path, row: str) -> None:
    data = write(tmp_path / "test.csv", "image,a,b,c", "0.png,1,0,0", row)

    said = rf"columns a, b, c hold 0 and 1, a class each, but line 3 is not of exactly .*: '{row}'"
    with pytest.raises(DataError, match=said):
        evaluation_sets(ListsSuite(data=data), 0)


@pytest.mark.parametrize("header", ["image,a,age", "image,a"])
def test_other_columns_of_numbers_are_no_classes(tmp_path: Path, header: str) -> None:
    row = ",".join(["0.png", "1", "42"][: header.count(",") + 1])
    data = write(tmp_path / "test.csv", header, row)

    with pytest.raises(DataError, match="no column is called like one of classes"):
        evaluation_sets(ListsSuite(data=data), 0)


def test_numbers_from_one_that_lack_the_last_class_are_a_doubt(tmp_path: Path, lay: Lay) -> None:
    lay("0.png", "1.png")
    data = write(tmp_path / "test.csv", "path,label", "0.png,1", "1.png,2")
    write(tmp_path / "classes.txt", "cat", "dog", "owl", "cow")

    found = verify(ListsSuite(data=data), 0)

    assert found.problems == ()
    assert found.record()["warnings"] == [
        f"the labels in the lists are 1 to 2, and the 4 names in {tmp_path}/classes.txt stand for "
        "the numbers from 0: no image is 'cat' (0). If 1 means 'cat', write lines number<TAB>name"
    ]


@pytest.mark.parametrize("labels", ["01", "02", "23"])
def test_numbers_that_need_not_be_from_one_are_no_doubt(
    tmp_path: Path, lay: Lay, labels: str
) -> None:
    lay(*(f"{label}.png" for label in labels))
    rows = (f"{label}.png,{label}" for label in labels)
    data = write(tmp_path / "test.csv", "path,label", *rows)
    write(tmp_path / "classes.txt", "cat", "dog", "owl", "cow")

    assert verify(ListsSuite(data=data), 0).record()["warnings"] == []


def test_an_image_with_two_classes_is_refused(pets: Path) -> None:
    write(pets, *pets.read_text("utf-8").splitlines(), "./a.png,dog,train")

    with pytest.raises(DataError, match=r"'train': 1 image is listed with two .*a.png .cat, dog"):
        training_sets(ListsSuite(data=pets), 0)


def test_an_image_in_train_and_val_is_refused(pets: Path) -> None:
    write(pets, *pets.read_text("utf-8").splitlines(), "a.png,cat,val", "g.png,cat,snow")

    with pytest.raises(DataError) as raised:
        training_sets(ListsSuite(data=pets), 0)

    assert raised.value.problems == (
        "set 'val': 1 image is in 'train' too: a.png",
        "set 'snow': 1 image is in 'test' too: g.png",
    )


def test_an_image_that_is_listed_again_counts_once_and_is_mentioned(pets: Path) -> None:
    write(pets, *pets.read_text("utf-8").splitlines(), "a.png,cat,train")

    train = training_sets(ListsSuite(data=pets), 0).train

    assert (len(train), train.doubts) == (
        4,
        ("set 'train': 1 image is listed more than once, and taken once: a.png",),
    )


def test_images_that_no_list_names_are_counted(pets: Path, lay: Lay) -> None:
    lay("surplus.png")

    assert training_sets(ListsSuite(data=pets), 0).train.passed_over == {"not listed": 1}


def test_ids_without_suffix_are_found_in_the_folders_of_their_parts(
    tmp_path: Path, lay: Lay
) -> None:
    lay("train/1a.jpg", "train/2b.png", "valid/3c.jpg", "valid/4d.jpg", "test/5e.jpg")
    lines = ("1a,cat", "2b,dog", "3c,cat", "4d,dog", "5e,dog")
    data = write(tmp_path / "labels.csv", "id,label", *lines)

    sets = training_sets(ListsSuite(data=data), 0)

    assert [named(each) for each in (sets.train, sets.val, sets.test)] == [
        {"train/1a.jpg": 0, "train/2b.png": 1},
        {"valid/3c.jpg": 0, "valid/4d.jpg": 1},
        {"test/5e.jpg": 1},
    ]


def test_a_list_for_each_folder_of_flat_files_is_read(tmp_path: Path, lay: Lay) -> None:
    lay("train_images/1.jpg", "train_images/2.jpg", "test_images/1.jpg", "snow/1.jpg")
    write(tmp_path / "train.csv", "image_id,label", "1.jpg,cat", "2.jpg,dog")
    write(tmp_path / "test.csv", "image_id,label", "1.jpg,dog")
    write(tmp_path / "snow.csv", "image_id,label", "1.jpg,cat")

    found = evaluation_sets(ListsSuite(data=tmp_path), 0)

    assert [(each.name, named(each)) for each in found.present] == [
        ("test", {"test_images/1.jpg": 1}),
        ("snow", {"snow/1.jpg": 0}),
    ]


def test_an_id_that_fits_several_files_is_refused(tmp_path: Path, lay: Lay) -> None:
    lay("train/1.jpg", "train/1.png", "train/2.jpg")
    write(tmp_path / "train.csv", "id,label", "1,cat", "2,dog")

    with pytest.raises(DataError, match=r"1 of 2 names that fit several .* 1 .*1.jpg, train/1.png"):
        training_sets(ListsSuite(data=tmp_path), 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere.csv", "no such file or directory; give a CSV or list file"), (".", "holds no list")],
)
def test_lists_that_are_not_there_are_told(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        evaluation_sets(ListsSuite(data=tmp_path / name), 0)


def test_lists_without_training_images_say_what_there_is(tmp_path: Path, lay: Lay) -> None:
    lay("1.png", "2.png")
    data = write(tmp_path / "test.csv", "path,label", "1.png,cat", "2.png,dog")

    with pytest.raises(DataError, match=r"no images to train on: .*test.csv lists test; a list tr"):
        training_sets(ListsSuite(data=data), 0)


def test_a_root_that_is_not_there_is_told(pets: Path) -> None:
    with pytest.raises(DataError, match=r"--root nowhere: no such directory"):
        training_sets(ListsSuite(data=pets, root=Path("nowhere")), 0)


def test_verify_says_that_a_folder_holds_no_list(tmp_path: Path) -> None:
    (problem,) = verify(ListsSuite(data=tmp_path), 0).problems

    assert "holds no list" in problem


def test_classes_that_no_image_has_may_be_named(pets: Path) -> None:
    write(pets.parent / "classes.txt", "owl", "cat", "dog")

    sets = training_sets(ListsSuite(data=pets), 0)

    assert (sets.classes, sets.test.classes) == (("owl", "cat", "dog"), (1, 2))


def test_all_lists_that_cannot_be_read_are_named_together(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "id,breed", "1,cat")
    write(tmp_path / "test.txt", "word")

    with pytest.raises(DataError) as raised:
        training_sets(ListsSuite(data=tmp_path), 0)

    assert raised.value.problems == (
        f"{tmp_path}/test.txt: line 1 is not of the form PATH LABEL: 'word'",
        f"{tmp_path}/train.csv: no column is called like one of classes: name it with "
        "--label-column; its columns: id, breed",
    )


def test_verify_counts_what_is_there_and_says_what_is_not(pets: Path) -> None:
    (pets.parent / "a.png").unlink()
    (pets.parent / "h.png").write_bytes((pets.parent / "b.png").read_bytes())

    found = verify(ListsSuite(data=pets), 0)

    assert {each.name: each.images for each in found.sets} == {"train": 3, "val": 2, "test": 2}
    assert len(found.leaks) == 1
    assert any("labels.csv lists 4 images, 1 of them not there: a.png" in p for p in found.problems)


def test_verify_takes_a_file_in_place_of_the_directory(
    pets: Path, cfft_command: Callable[..., Any]
) -> None:
    ended = cfft_command("data", "verify", "lists", str(pets))

    assert (ended.code, [line.split()[0] for line in ended.out.splitlines()]) == (
        0,
        ["set", "train", "val", "test"],
    )
