"""The suite `shapes` as cfft opens it."""

from __future__ import annotations

import numpy as np
import pytest

from cfft import DataError
from cfft_suites.shapes.cache import stored_set
from cfft_suites.shapes.scenes import TIED
from cfft_suites.shapes.suite import ShapesSuite, adversarial_indices
from cfft_suites.shapes.world import CLASS_NAMES, RULES, draw_image


def _small(folder, **values):
    return ShapesSuite(
        train_pictures=48,
        val_pictures=24,
        test_pictures=24,
        ood_pictures=24,
        cache=folder,
        **values,
    )


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    return _small(tmp_path_factory.mktemp("cache")).open(seed=0)


def test_suite_has_the_five_shifts(sets):
    names = [shifted.name for shifted in sets.ood]

    assert names == ["resample", "rendition", "sketch", "relocated", "adversarial"]


def test_sets_have_the_sizes_asked_for(sets):
    assert (len(sets.train), len(sets.val), len(sets.test)) == (48, 24, 24)
    assert {len(shifted) for shifted in sets.ood} == {24}


def test_images_are_those_of_the_world(sets):
    drawn = draw_image(RULES["train"], 3, confounding=0.95)

    np.testing.assert_array_equal(np.asarray(sets.train.read(3)), drawn.pixels)
    np.testing.assert_array_equal(sets.train.mask(3), drawn.mask)
    assert sets.train.labels[3] == drawn.label
    assert sets.train.identify(3) == "000003"


def test_training_and_validation_share_no_image(sets):
    train = {sets.train.read(index).tobytes() for index in range(48)}

    assert not train & {sets.val.read(index).tobytes() for index in range(24)}


def test_a_second_opening_reads_what_the_first_one_drew(tmp_path, capsys):
    _small(tmp_path).open(seed=0)
    capsys.readouterr()

    again = _small(tmp_path).open(seed=1)

    assert capsys.readouterr().err == ""
    assert len(again.train) == 48


def test_drawing_says_where_images_are_kept(tmp_path, capsys):
    _small(tmp_path).open(seed=0)

    assert str(tmp_path) in capsys.readouterr().err


def test_a_damaged_file_is_drawn_again(tmp_path):
    first = stored_set("val", range(24), 0.95, tmp_path)
    file = next(tmp_path.glob("val-*.npz"))
    file.write_bytes(file.read_bytes()[:-100])

    again = stored_set("val", range(24), 0.95, tmp_path)

    np.testing.assert_array_equal(again.pixels, first.pixels)


def test_another_confounding_has_files_of_its_own(tmp_path):
    stored_set("val", range(24), 0.95, tmp_path)
    stored_set("val", range(24), 0.0, tmp_path)

    assert len(list(tmp_path.glob("val-*.npz"))) == 2


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")

    with pytest.raises(DataError, match=r"--suite\.shapes\.cache"):
        stored_set("val", range(24), 0.95, blocked / "below")


def test_adversarial_images_are_a_thousand_from_all_classes_and_backgrounds():
    numbers = adversarial_indices()
    families = {draw_image(RULES["adversarial"], n, 0.95).family for n in numbers[:240]}

    assert len(set(numbers)) == 1000
    assert {number % len(CLASS_NAMES) for number in numbers} == set(range(len(CLASS_NAMES)))
    assert families == set(TIED)
