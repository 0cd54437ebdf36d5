"""The suite `cifar10` on files as they are published: pickled batches, arrays, stacks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cfft import ConfigError, DataError, Suite
from cfft.data.images import origins_of
from cfft.data.sets import evaluation_sets, training_sets
from cfft_suites.cifar10.suite import Cifar10Suite

Pixels = Callable[[int], NDArray[np.uint8]]
Write = Callable[..., None]
BATCHES = [f"data_batch_{number}" for number in range(1, 6)]


@pytest.fixture
def cifar10(write_batch: Write, tmp_path: Path) -> Path:
    """A test batch of an aeroplane and a truck."""
    write_batch(tmp_path / "cifar-10-batches-py" / "test_batch", [0, 9])
    return tmp_path


def test_a_batch_that_is_missing_beside_others_is_named(write_batch: Write, cifar10: Path) -> None:
    write_batch(cifar10 / "cifar-10-batches-py" / "data_batch_1", list(range(10)))

    with pytest.raises(DataError, match=r"lacks data_batch_2, .* data_batch_5 beside data_batch_1"):
        Cifar10Suite(data=cifar10, val=10).open(0)


def test_labels_that_are_missing_are_named(pixels: Pixels, tmp_path: Path) -> None:
    np.save(tmp_path / "cifar10.1_v6_data.npy", pixels(1))

    with pytest.raises(DataError, match=r"lacks cifar10.1_v6_labels.npy beside cifar10.1_v6_data"):
        evaluation_sets(Cifar10Suite(data=tmp_path), 0)


def test_reproductions_are_found_and_the_rest_is_absent(write_pairs: Write, cifar10: Path) -> None:
    write_pairs(cifar10 / "CIFAR-10.1", "cifar10.1_v6", [1, 2, 3])
    write_pairs(cifar10, "cifar10.1_v4", [1, 2, 3, 4])

    suite = Cifar10Suite(data=cifar10)
    sets = suite.evaluation(0)

    assert isinstance(suite, Suite)
    assert [(s.name, list(s.labels), len(s.classes)) for s in sets.present] == [
        ("cifar10", [0, 9], 10),
        ("cifar10.1", [1, 2, 3], 10),
    ]
    assert sets.ood[0].read(2).getpixel((0, 0)) == (2, 2, 2)
    assert sets.absent == {
        "cifar10.2": "looked for cifar-10.2/cifar102_test.npz or cifar-10.2/cifar102_test.npy in "
        f"{cifar10}"
    }


def test_the_other_version_and_10_2_are_taken_on_request(
    pixels: Pixels, write_pairs: Write, tmp_path: Path
) -> None:
    write_pairs(tmp_path, "cifar10.1_v4", [4])
    np.savez(tmp_path / "cifar102_test.npz", images=pixels(2), labels=np.array([5, 6]))

    sets = Cifar10Suite(data=tmp_path, sets=("cifar10.1-v4", "cifar10.2")).evaluation(0)

    assert sets.test is None
    assert [(s.name, list(s.labels)) for s in sets.ood] == [
        ("cifar10.1-v4", [4]),
        ("cifar10.2", [5, 6]),
    ]


def test_10_1_is_found_as_github_packs_it(write_pairs: Write, tmp_path: Path) -> None:
    (tmp_path / "CIFAR-10.1-master").mkdir()
    write_pairs(tmp_path / "CIFAR-10.1-master" / "datasets", "cifar10.1_v6", [3])

    (images,) = evaluation_sets(Cifar10Suite(data=tmp_path), 0).ood

    assert (images.name, list(images.labels)) == ("cifar10.1", [3])


def test_severities_are_blocks_of_the_stack(write_corruption: Write, cifar10: Path) -> None:
    write_corruption(cifar10 / "CIFAR-10-C", "fog", [0, 9] * 5)

    (fog,) = Cifar10Suite(data=cifar10, corruptions=("fog",), severities=(5, 2)).evaluation(0).ood

    assert [fog.identify(index) for index in range(4)] == [
        *("5/00000", "5/00001", "2/00000", "2/00001"),
    ]
    assert [fog.read(index).getpixel((0, 0))[0] for index in range(4)] == [8, 9, 2, 3]
    assert list(fog.labels) == [0, 9, 0, 9]


def test_all_severities_count_unless_some_are_chosen(
    write_corruption: Write, cifar10: Path
) -> None:
    write_corruption(cifar10 / "CIFAR-10-C", "fog", [0, 9] * 5)

    (fog,) = Cifar10Suite(data=cifar10, corruptions=("fog",)).evaluation(0).ood

    assert (len(fog), fog.identify(9)) == (10, "5/00001")


def test_severities_come_in_the_order_that_is_asked_for(
    write_corruption: Write, cifar10: Path
) -> None:
    write_corruption(cifar10 / "CIFAR-10-C", "fog", list(range(10)), count=10)

    suite = Cifar10Suite(data=cifar10, corruptions=("fog",), severities=(5, 4, 3, 2, 1))
    (fog,) = suite.evaluation(0).ood

    assert [fog.read(index).getpixel((0, 0))[0] for index in (0, 9)] == [8, 1]
    assert (fog.labels[0], fog.labels[9]) == (8, 1)
    assert (fog.identify(0), fog.identify(9)) == ("5/00000", "1/00001")


def test_all_corruptions_and_severities_show_the_same_images(
    write_corruption: Write, cifar10: Path
) -> None:
    write_corruption(cifar10 / "CIFAR-10-C", "fog", [0, 9] * 5)
    write_corruption(cifar10 / "CIFAR-10-C", "snow", [0, 9] * 5)

    suite = Cifar10Suite(data=cifar10, corruptions=("fog", "snow"), severities=(5, 2))
    fog, snow = suite.evaluation(0).ood

    assert origins_of(fog) == origins_of(snow) == ("CIFAR-10-C/00000", "CIFAR-10-C/00001") * 2


def test_a_corruption_that_is_missing_is_named(write_corruption: Write, cifar10: Path) -> None:
    write_corruption(cifar10 / "CIFAR-10-C", "fog", [0, 9] * 5)

    with pytest.raises(DataError, match=r"lacks snow, frost, brightness; looked for CIFAR-10-C/sn"):
        evaluation_sets(Cifar10Suite(data=cifar10, corruptions=("weather",)), 0)


@pytest.mark.parametrize(
    ("count", "labels", "message"),
    [(10, [0] * 9, "9 labels for 10 images"), (9, [0] * 9, "9 images do not divide into 5")],
)
def test_a_stack_that_does_not_match_is_refused(
    write_corruption: Write, cifar10: Path, count: int, labels: list[int], message: str
) -> None:
    write_corruption(cifar10 / "CIFAR-10-C", "fog", labels, count)

    with pytest.raises(DataError, match=message):
        evaluation_sets(Cifar10Suite(data=cifar10, corruptions=("fog",)), 0)


def test_shifts_of_two_sorts_are_not_averaged() -> None:
    with pytest.raises(ConfigError, match=r"got corruptions and the set cifar10.1; one OOD"):
        Cifar10Suite(data=Path("data"), corruptions=("fog",), sets=("cifar10", "cifar10.1"))


def test_training_holds_out_images_of_all_batches(write_batch: Write, cifar10: Path) -> None:
    labels = list(range(10)) * 2
    write_batch(cifar10 / "cifar-10-batches-py" / BATCHES[0], labels)
    write_batch(cifar10 / "cifar-10-batches-py" / BATCHES[1], labels)
    write_batch(cifar10 / "cifar-10-batches-py" / BATCHES[2], labels)
    write_batch(cifar10 / "cifar-10-batches-py" / BATCHES[3], labels)
    write_batch(cifar10 / "cifar-10-batches-py" / BATCHES[4], labels)

    sets = Cifar10Suite(data=cifar10, val=15).open(seed=0)

    assert (len(sets.train), len(sets.val), len(sets.test)) == (85, 15, 2)
    assert set(sets.val.labels) == set(range(10))


def test_holding_too_much_out_is_refused(cifar10: Path) -> None:
    folder = cifar10 / "train"
    (folder / "cat").mkdir(parents=True)
    (folder / "dog").mkdir()
    Image.new("RGB", (32, 32)).save(folder / "cat" / "0.png")
    Image.new("RGB", (32, 32)).save(folder / "dog" / "0.png")

    with pytest.raises(DataError, match=r"holding 10 of 2 images out .*hold fewer out .--val"):
        training_sets(Cifar10Suite(data=cifar10, val=10), 0)


def test_files_are_read_once_however_many_seeds_ask(cifar10: Path) -> None:
    suite = Cifar10Suite(data=cifar10)

    assert suite.evaluation(0).test is suite.evaluation(1).test


def test_class_folders_serve_as_well(tmp_path: Path) -> None:
    (tmp_path / "test" / "truck").mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(tmp_path / "test" / "truck" / "0001.png")

    test = Cifar10Suite(data=tmp_path).evaluation(0).test

    assert test is not None
    assert (list(test.labels), test.identify(0)) == ([9], "truck/0001.png")


def test_without_training_images_nobody_trains(cifar10: Path) -> None:
    with pytest.raises(DataError, match="no training images of CIFAR-10 in"):
        training_sets(Cifar10Suite(data=cifar10), 0)


def test_a_directory_without_any_set_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of cifar10, .* is there; looked for cifar-10-batc"):
        evaluation_sets(Cifar10Suite(data=tmp_path), 0)
