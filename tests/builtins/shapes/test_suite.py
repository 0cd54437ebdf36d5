"""The suite `shapes` as cfft opens it."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from cfft import DataError
from cfft_suites.shapes.adversarial import adversarial_indices
from cfft_suites.shapes.cache import stored_set
from cfft_suites.shapes.scenes import TIED
from cfft_suites.shapes.suite import ShapesSuite
from cfft_suites.shapes.world import CLASS_NAMES, RULES, draw_image, measured_rule

_FEW = {"train_pictures": 48, "val_pictures": 24, "test_pictures": 24, "ood_pictures": 24}


def _small(folder, **values):
    return ShapesSuite(**{**_FEW, **values}, cache=folder)


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
    first = stored_set(RULES["val"], range(24), 0.95, tmp_path)
    file = next(tmp_path.glob("val-*.npz"))
    file.write_bytes(file.read_bytes()[:-100])

    again = stored_set(RULES["val"], range(24), 0.95, tmp_path)

    np.testing.assert_array_equal(again.pixels, first.pixels)


def test_another_confounding_has_files_of_its_own(tmp_path):
    stored_set(RULES["val"], range(24), 0.95, tmp_path)
    stored_set(RULES["val"], range(24), 0.0, tmp_path)

    assert len(list(tmp_path.glob("val-*.npz"))) == 2


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")

    with pytest.raises(DataError, match=r"--suite\.shapes\.cache"):
        stored_set(RULES["val"], range(24), 0.95, blocked / "below")


@pytest.fixture(scope="module")
def development(tmp_path_factory):
    return _small(tmp_path_factory.mktemp("cache"), draw="development").open(seed=0)


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return _small(cache, test_pictures=48, ood_pictures=48).open(seed=0)


def _bytes(images):
    return {images.read(index).tobytes() for index in range(len(images))}


def test_another_draw_has_the_same_training_and_validation_images(sets, development):
    assert _bytes(development.train) == _bytes(sets.train)
    assert _bytes(development.val) == _bytes(sets.val)
    assert development.train.identify(3) == "000003"


@pytest.mark.parametrize("place", range(6))
def test_another_draw_shares_no_image_and_no_name_with_the_published_one(sets, development, place):
    own, published = ((each.test, *each.ood)[place] for each in (development, sets))

    assert own.name == published.name
    assert not _bytes(own) & _bytes(published)
    assert own.identify(0) == published.identify(0) + "-development"


def test_another_draw_is_drawn_by_the_same_rule():
    own, published = (measured_rule("resample", draw) for draw in ("development", "published"))

    assert published is RULES["resample"]
    assert (own.confounded, own.poses, own.noise) == (True, published.poses, published.noise)


def test_development_images_stay_what_they_are():
    images = [
        draw_image(measured_rule(name, "development"), 7, confounding=0.95).pixels.tobytes()
        for name in ("test", "resample", "rendition", "sketch", "relocated", "adversarial")
    ]

    assert sha256(b"".join(images)).hexdigest()[:16] == "b68d1f9709abee2b"


@pytest.mark.parametrize("draw", ["published", "development"])
def test_adversarial_images_are_five_thousand_from_all_classes_and_backgrounds(draw):
    numbers = adversarial_indices(draw)
    rule = measured_rule("adversarial", draw)
    families = {draw_image(rule, number, 0.95).family for number in numbers[:240]}

    assert len(set(numbers)) == 5000
    assert list(numbers) == sorted(numbers)
    assert {number % len(CLASS_NAMES) for number in numbers} == set(range(len(CLASS_NAMES)))
    assert families == set(TIED)


def test_the_first_thousand_adversarial_images_are_those_of_published_numbers():
    numbers = adversarial_indices()[:1000]

    assert (numbers[:12], numbers[-1]) == ((0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13), 1101)
    assert sha256(repr(numbers).encode()).hexdigest()[:16] == "20e58305442f6877"


@pytest.mark.parametrize("place", range(6))
def test_larger_sets_begin_with_the_images_of_smaller_ones(sets, larger, place):
    few, many = ((each.test, *each.ood)[place] for each in (sets, larger))

    np.testing.assert_array_equal(many.stored.pixels[:24], few.stored.pixels)
    assert many.indices[:24] == few.indices
    assert len(many) == 48
