"""The built-in suites: layouts on disk, splits and the errors that name what is wrong."""

from pathlib import Path

import pytest
from PIL import Image

from cfft import ConfigError, DataError, ImageSet, Suite
from cfft.data.consistency import every_set
from cfft.data.sets import evaluation_sets, training_sets
from cfft.data.verification.verify import verify
from cfft_suites.domains.suite import DomainsSuite
from cfft_suites.folder import FolderSuite


def paint(folder: Path, images: int = 10) -> None:
    folder.mkdir(parents=True)
    for number in range(images):
        Image.new("RGB", (2, 2)).save(folder / f"{number}.png")


@pytest.fixture
def domains(tmp_path: Path) -> Path:
    """Photos and sketches of 10 cats and 10 dogs each, and clips of dogs alone."""
    paint(tmp_path / "photo" / "cat")
    paint(tmp_path / "photo" / "dog")
    paint(tmp_path / "sketch" / "cat")
    paint(tmp_path / "sketch" / "dog")
    paint(tmp_path / "clip" / "dog")
    return tmp_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten cats and ten dogs to train on, and nothing else."""
    paint(tmp_path / "train" / "cat")
    paint(tmp_path / "train" / "dog")
    return tmp_path


def files(images: ImageSet) -> set[str]:
    return {images.identify(index) for index in range(len(images))}


def test_domains_splits_the_chosen_domain_and_tests_on_all_others(domains: Path) -> None:
    suite = DomainsSuite(data=domains, id="photo")

    sets = suite.open(seed=0)

    assert isinstance(suite, Suite)
    assert sets.classes == ("cat", "dog")
    assert [(s.name, len(s)) for s in (sets.train, sets.val, sets.test)] == [
        ("photo-train", 14),
        ("photo-val", 2),
        ("photo", 4),
    ]
    assert [(s.name, len(s), s.classes) for s in sets.ood] == [
        ("clip", 10, (1,)),
        ("sketch", 20, (0, 1)),
    ]


def test_domains_splits_by_the_seed(domains: Path) -> None:
    suite = DomainsSuite(data=domains, id="photo")

    assert files(suite.open(0).train) == files(suite.open(0).train)
    assert files(suite.open(0).train) != files(suite.open(1).train)


def test_domains_takes_another_split(domains: Path) -> None:
    sets = DomainsSuite(data=domains, id="photo", split=(0.5, 0.3, 0.2)).open(0)

    assert [len(s) for s in (sets.train, sets.val, sets.test)] == [10, 6, 4]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (None, "no domain chosen .--id.; domains in .*: clip, photo, sketch"),
        ("foto", "unknown domain 'foto'; did you mean 'photo'"),
    ],
)
def test_domains_lists_what_there_is(domains: Path, chosen: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DomainsSuite(data=domains, id=chosen).open(0)


def test_domains_names_a_class_that_training_lacks(domains: Path) -> None:
    paint(domains / "sketch" / "dogs")

    with pytest.raises(DataError, match=r"'sketch' has class 'dogs' that training lacks: .*'dog'"):
        training_sets(DomainsSuite(data=domains, id="photo"), 0)


def test_domains_refuses_a_domain_of_one_class(domains: Path) -> None:
    with pytest.raises(DataError, match="two or more class folders, got only 'dog'"):
        training_sets(DomainsSuite(data=domains, id="clip"), 0)


def test_class_names_are_read_beside_the_sets(domains: Path) -> None:
    (domains / "classes.txt").write_text("tabby cat\nhound\n")

    assert DomainsSuite(data=domains, id="photo").open(0).classes == ("tabby cat", "hound")


def test_folder_draws_missing_parts_from_train(folder: Path) -> None:
    suite = FolderSuite(data=folder)

    sets = suite.open(seed=0)

    assert isinstance(suite, Suite)
    assert [(s.name, len(s)) for s in (sets.train, sets.val, sets.test)] == [
        ("train", 14),
        ("val", 2),
        ("test", 4),
    ]
    assert files(sets.train) | files(sets.val) | files(sets.test) == files(sets.train.whole)
    assert sets.ood == ()


def test_folder_draws_only_what_is_missing(folder: Path) -> None:
    paint(folder / "test" / "dog", images=3)

    sets = FolderSuite(data=folder, split=(70.0, 30.0, 0.0)).open(0)

    assert [len(s) for s in (sets.train, sets.val, sets.test)] == [14, 6, 3]
    assert sets.test.classes == (1,)


def test_folder_trains_on_everything_where_no_part_is_missing(folder: Path) -> None:
    paint(folder / "val" / "cat", images=1)
    paint(folder / "test" / "dog", images=1)

    assert len(FolderSuite(data=folder).open(0).train) == 20


def test_folder_finds_ood_sets_by_name(folder: Path) -> None:
    paint(folder / "ood" / "snow" / "dog", images=3)
    paint(folder / "ood" / "fog" / "cat", images=2)

    ood = FolderSuite(data=folder).open(0).ood

    assert [(s.name, len(s), s.classes) for s in ood] == [("fog", 2, (0,)), ("snow", 3, (1,))]


def test_folder_names_a_class_that_training_lacks(folder: Path) -> None:
    paint(folder / "ood" / "snow" / "wolf")

    with pytest.raises(DataError, match="'snow' has class 'wolf' that training lacks"):
        training_sets(FolderSuite(data=folder), 0)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_folder_refuses_an_ood_set_called_like_a_part(folder: Path, part: str) -> None:
    paint(folder / "ood" / part / "dog")

    with pytest.raises(DataError, match=f"'{part}' is an in-distribution part; rename the folder"):
        training_sets(FolderSuite(data=folder), 0)


def test_folder_points_to_domains_where_the_data_lies_so(domains: Path) -> None:
    with pytest.raises(DataError, match=r"no folder 'train'.*--suite domains --id clip"):
        training_sets(FolderSuite(data=domains), 0)


def test_folder_points_to_train_where_class_folders_lie_bare(domains: Path) -> None:
    with pytest.raises(DataError, match=r"move the class folders into \S+/train"):
        training_sets(FolderSuite(data=domains / "photo"), 0)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--data \S*nowhere: no such directory; give the direc"):
        training_sets(FolderSuite(data=tmp_path / "nowhere"), 0)


@pytest.mark.parametrize("suite", [FolderSuite, DomainsSuite])
def test_a_file_in_place_of_the_directory_is_said_to_be_one(
    suite: type[FolderSuite | DomainsSuite], tmp_path: Path
) -> None:
    (tmp_path / "images.zip").touch()

    with pytest.raises(DataError, match=r"--data \S*images.zip: is a file; give the directory"):
        training_sets(suite(data=tmp_path / "images.zip"), 0)


def test_images_without_class_folders_are_found_to_lie_so(tmp_path: Path) -> None:
    paint(tmp_path / "train")

    with pytest.raises(DataError, match=r"images lie directly in (\S*/train): put .* \1/CLASS/"):
        training_sets(FolderSuite(data=tmp_path), 0)


@pytest.mark.parametrize(
    ("lists", "shown"),
    [
        (("labels.csv",), "labels.csv"),
        (("train.txt",), "train.txt"),
        (("train.csv", "val.csv"), ""),
        (("train/train.csv",), "train/train.csv"),
        ((), "labels.csv, a file with the columns image and label"),
    ],
)
@pytest.mark.parametrize("part", ["train", "test"])
def test_flat_files_are_referred_to_the_suite_of_lists(
    tmp_path: Path, part: str, lists: tuple[str, ...], shown: str
) -> None:
    paint(tmp_path / part)
    for name in lists:
        (tmp_path / name.replace("train", part)).touch()

    with pytest.raises(DataError) as raised:
        evaluation_sets(FolderSuite(data=tmp_path), 0)

    place = f"{tmp_path}/{shown.replace('train', part)}".removesuffix("/")
    root = tmp_path / part
    assert str(raised.value) == (
        f"images lie directly in {root}: put them in {root}/CLASS/, or let a list say their "
        f"classes: --suite lists --data {place}"
    )


def test_images_beside_a_list_are_referred_to_the_suite_of_lists(tmp_path: Path) -> None:
    paint(tmp_path / "images")
    (tmp_path / "labels.csv").touch()

    with pytest.raises(DataError, match=r"no folder 'train'.*--suite lists --data \S*/labels.csv"):
        training_sets(FolderSuite(data=tmp_path), 0)


def test_verify_refers_flat_files_to_the_suite_of_lists(tmp_path: Path) -> None:
    paint(tmp_path / "train")

    (problem,) = verify(FolderSuite(data=tmp_path), 0).problems

    assert "--suite lists --data" in problem


@pytest.mark.parametrize("suite", [FolderSuite, DomainsSuite])
@pytest.mark.parametrize(
    "split", [(70.0, 20.0, 20.0), (0.0, 50.0, 50.0), (120.0, -40.0, 20.0), (0.7, 0.1, 0.3)]
)
def test_a_split_that_does_not_add_up_is_refused_at_once(
    suite: type[FolderSuite | DomainsSuite], split: tuple[float, float, float]
) -> None:
    with pytest.raises(ConfigError, match=rf"split: got {split[0]:g}/"):
        suite(data=Path("data"), split=split)


def test_a_class_too_small_to_split_is_called_by_its_name(folder: Path) -> None:
    paint(folder / "train" / "owl", images=2)

    with pytest.raises(DataError, match=r"'owl' has 2 images: .*, or give val/ and test/ as"):
        training_sets(FolderSuite(data=folder), 0)


def test_a_part_that_has_to_be_drawn_needs_a_share(folder: Path) -> None:
    with pytest.raises(ConfigError, match="--split gives test nothing"):
        FolderSuite(data=folder, split=(70.0, 30.0, 0.0)).open(0)


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """Dogs to test on, cats and owls in snow, and nothing to train on."""
    paint(tmp_path / "test" / "dog", images=3)
    paint(tmp_path / "ood" / "snow" / "cat", images=2)
    paint(tmp_path / "ood" / "snow" / "owl", images=2)
    return tmp_path


def test_folder_is_measured_without_training_images(measured: Path) -> None:
    sets = FolderSuite(data=measured).evaluation(0)

    assert sets.classes == ("cat", "dog", "owl")
    assert [(s.name, len(s), s.classes) for s in sets.present] == [
        ("test", 3, (1,)),
        ("snow", 4, (0, 2)),
    ]
    assert sets.absent == {}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classes.txt", "cat\tCat\nowl\tOwl\nbear\tBear\ndog\tDog\n"),
        ("classes.toml", 'dog = "Dog"\nbear = "Bear"\ncat = "Cat"\nowl = "Owl"\n'),
    ],
)
def test_named_classes_count_where_no_image_of_one_is_there(
    measured: Path, file: str, text: str
) -> None:
    (measured / file).write_text(text)

    sets = FolderSuite(data=measured).evaluation(0)

    assert sets.classes == ("Bear", "Cat", "Dog", "Owl")
    assert [s.classes for s in sets.present] == [(2,), (1, 3)]


def test_a_class_folder_without_a_name_is_refused(measured: Path) -> None:
    (measured / "classes.toml").write_text('dog = "Dog"\ncat = "Cat"\n')

    with pytest.raises(DataError, match=r"classes.toml: no name for class folder 'owl'"):
        evaluation_sets(FolderSuite(data=measured), 0)


def test_a_missing_test_set_is_said_to_be_absent(tmp_path: Path) -> None:
    paint(tmp_path / "ood" / "snow" / "cat")
    paint(tmp_path / "ood" / "snow" / "dog")

    sets = FolderSuite(data=tmp_path).evaluation(0)

    assert (sets.test, [s.name for s in sets.ood]) == (None, ["snow"])
    assert sets.absent == {"test": f"looked for test in {tmp_path}"}


def test_a_single_class_folder_is_nothing_to_measure_on(tmp_path: Path) -> None:
    paint(tmp_path / "test" / "cat")

    with pytest.raises(DataError, match=r"got only 'cat': name the others in a classes\.txt"):
        FolderSuite(data=tmp_path).evaluation(0)


def test_folder_is_measured_on_what_training_would_be_tested_on(folder: Path) -> None:
    suite = FolderSuite(data=folder)

    measured = suite.evaluation(3)

    assert measured.test is not None
    assert files(measured.test) == files(suite.open(3).test)


def test_folder_with_nothing_to_measure_on_says_what_it_expects(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder 'train'; the suite folder expects"):
        evaluation_sets(FolderSuite(data=tmp_path), 0)


@pytest.mark.parametrize("name", ["valid", "validation"])
def test_folder_takes_other_spellings_of_val(folder: Path, name: str) -> None:
    paint(folder / name / "cat", images=3)

    suite = FolderSuite(data=folder)

    assert [(s.name, len(s)) for s in every_set(suite.open(0))][1] == ("val", 3)
    assert suite.unread() == ()


def test_folder_refuses_two_spellings_of_val(folder: Path) -> None:
    paint(folder / "val" / "cat", images=1)
    paint(folder / "valid" / "cat", images=1)

    with pytest.raises(DataError, match="holds val and valid: keep one of them"):
        training_sets(FolderSuite(data=folder), 0)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Val", "val"), ("VALID", "valid"), ("Test", "test"), ("OOD", "ood"), ("testing", "test")],
)
def test_folder_asks_whether_a_folder_in_another_case_is_meant(
    folder: Path, name: str, meant: str
) -> None:
    paint(folder / name / "cat", images=3)

    with pytest.raises(DataError, match=rf"{name} is read as no set: did you mean '{meant}'\?"):
        training_sets(FolderSuite(data=folder), 0)


def test_folder_asks_whether_train_is_meant(folder: Path) -> None:
    (folder / "train").rename(folder / "Train")

    with pytest.raises(DataError, match=r"Train is read as no set: did you mean 'train'\?"):
        evaluation_sets(FolderSuite(data=folder), 0)


def test_accents_that_are_stored_in_two_ways_are_one_class_to_measure(measured: Path) -> None:
    paint(measured / "test" / "caf\u00e9", images=1)
    paint(measured / "ood" / "snow" / "cafe\u0301", images=1)

    assert len(evaluation_sets(FolderSuite(data=measured), 0).classes) == 4
