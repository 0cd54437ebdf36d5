"""Promises of the drawn world's images, drawn one at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from cfft_suites.shapes.dice import Dice
from cfft_suites.shapes.layers import STYLES, draw_layer
from cfft_suites.shapes.raster import PoseRange
from cfft_suites.shapes.scenes import FAMILIES, TIED, draw_scene
from cfft_suites.shapes.things import CLASSES, THINGS
from cfft_suites.shapes.world import RULES, TIES, compose, draw_image

# Whoever changes what is drawn has to give the world a new version, and then these.
IMAGES = {
    "train": "a7e4940b79c17422",
    "val": "9d9371347b6a6c5a",
    "test": "a0e0f49f4439ff76",
    "resample": "4fb7efb72c5484db",
    "rendition": "6bbd09c5db1c1362",
    "sketch": "252a8f25c3202ebb",
    "relocated": "d8c70686c5b0289f",
    "adversarial": "d579fc32e2443b9e",
}

_DIGEST = """
from hashlib import sha256
from cfft_suites.shapes.world import RULES, draw_image
images = [draw_image(rule, 7, 0.95).pixels.tobytes() for rule in RULES.values()]
print(sha256(b"".join(images)).hexdigest())
"""


def _digest_with_hash_seed(seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", _DIGEST]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


def _backgrounds(name: str, count: int) -> np.ndarray:
    """Count how often each class meets each background: [classes, families]."""
    table = np.zeros((len(CLASSES), len(FAMILIES)), dtype=int)
    for index in range(count):
        image = draw_image(RULES[name], index, confounding=0.95)
        table[image.label, list(FAMILIES).index(image.family)] += 1
    return table[:, table.sum(axis=0) > 0]


def _mutual_information(table: np.ndarray) -> float:
    joint = table / table.sum()
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    return float(np.sum(joint[joint > 0] * np.log(joint[joint > 0] / apart[joint > 0])))


def test_images_are_the_same_in_processes_with_other_hash_seeds():
    assert _digest_with_hash_seed("1") == _digest_with_hash_seed("2")


@pytest.mark.parametrize("name", RULES)
def test_two_images_of_each_class_are_those_that_this_version_of_the_world_has(name):
    images = [draw_image(RULES[name], index, confounding=0.95) for index in range(48)]

    drawn = sha256(b"".join(image.pixels.tobytes() for image in images))
    assert drawn.hexdigest()[:16] == IMAGES[name]


def test_an_image_can_be_drawn_without_those_before_it():
    draw_image(RULES["train"], 4, confounding=0.95)
    later = draw_image(RULES["train"], 5, confounding=0.95)

    alone = draw_image(RULES["train"], 5, confounding=0.95)

    np.testing.assert_array_equal(later.pixels, alone.pixels)


@pytest.mark.parametrize("style", STYLES)
def test_another_background_changes_no_pixel_inside_the_mask(style):
    layer = draw_layer("mug", style, PoseRange(), Dice("test", style))
    sea, city = (draw_scene(family, Dice("test", family)) for family in ("sea", "city"))

    over_sea = compose(layer.pixels, layer.mask, sea)
    over_city = compose(layer.pixels, layer.mask, city)

    np.testing.assert_array_equal(over_sea[layer.mask], over_city[layer.mask])
    np.testing.assert_array_equal(over_sea[~layer.mask], sea[~layer.mask])


def test_the_mask_of_an_image_does_not_depend_on_its_background():
    confounded = draw_image(RULES["train"], 11, confounding=1.0)
    elsewhere = draw_image(RULES["train"], 11, confounding=0.0)

    assert confounded.family != elsewhere.family
    np.testing.assert_array_equal(confounded.mask, elsewhere.mask)
    np.testing.assert_array_equal(
        confounded.pixels[confounded.mask], elsewhere.pixels[elsewhere.mask]
    )


@pytest.mark.parametrize("thing", THINGS)
def test_every_thing_fills_a_fair_share_of_the_image(thing):
    layer = draw_layer(thing, "photo", PoseRange(hidden=0), Dice("test", thing))

    assert 0.04 < layer.mask.mean() < 0.75


@pytest.mark.parametrize("family", FAMILIES)
def test_every_background_varies_from_image_to_image(family):
    first, second = (draw_scene(family, Dice("test", number)) for number in (1, 2))

    assert (first != second).any()


def test_every_class_is_tied_to_a_background_and_every_background_to_two_classes():
    assert set(TIES) == set(CLASSES)
    assert sorted(TIES.values()) == sorted(2 * list(TIED))


def test_confounding_is_the_share_of_images_with_the_tied_background():
    images = [draw_image(RULES["train"], index, confounding=0.5) for index in range(480)]

    tied = [image.family == TIES[list(CLASSES)[image.label]] for image in images]

    assert np.mean(tied) == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("name", ["train", "val", "test", "resample"])
def test_backgrounds_tell_the_class_in_distribution(name):
    assert _mutual_information(_backgrounds(name, 480)) > 0.75 * np.log(len(TIED))


@pytest.mark.parametrize("name", ["rendition", "adversarial"])
def test_backgrounds_are_independent_of_the_class_out_of_distribution(name):
    assert chi2_contingency(_backgrounds(name, 960)).pvalue > 0.01


@pytest.mark.parametrize("name", ["relocated", "sketch"])
def test_sets_of_one_background_say_nothing_of_the_class(name):
    assert _mutual_information(_backgrounds(name, 96)) == 0
