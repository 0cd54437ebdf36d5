"""Scores beyond top-1, worked by hand on a few images."""

import math

import attrs
import pytest
import torch

from cfft.scoring.predictions import Predictions, correct_images
from cfft.scoring.results import ClassResult
from cfft.scoring.scores import (
    class_results,
    full_score,
    in_label_space,
    top1_on_classes,
    validation_scores,
)


def predictions(logits, labels, classes, stands_for=None):
    found = torch.tensor(logits)
    names = tuple(map(str, range(len(labels))))
    stand_ins = torch.arange(found.shape[1]) if stands_for is None else torch.tensor(stands_for)
    return Predictions(found, torch.tensor(labels), names, classes, stand_ins)


def ranked(*orders):
    """Return logits whose classes come in these orders, the likeliest first."""
    return [[float(-order.index(label)) for label in range(len(order))] for order in orders]


def test_the_class_mean_weighs_classes_alike_and_leaves_out_those_without_images() -> None:
    rows = ranked([0, 1, 2], [0, 1, 2], [0, 1, 2], [2, 0, 1])

    found = full_score(predictions(rows, [0, 0, 0, 1], (0, 1, 2)))

    assert found.top1 == 0.75
    assert found.class_mean == pytest.approx((3 / 3 + 0 / 1) / 2)


def test_versions_of_one_image_count_as_one_original() -> None:
    four = predictions(ranked([0, 1], [0, 1], [1, 0], [1, 0]), [0, 0, 0, 0], (0, 1))

    found = full_score(attrs.evolve(four, origins=("a", "b", "a", "a")))

    assert (found.n, found.originals) == (4, 2)


def test_images_without_origins_are_all_originals() -> None:
    found = full_score(predictions(ranked([0, 1], [0, 1]), [0, 0], (0, 1)))

    assert (found.n, found.originals) == (2, 2)


def test_top_5_looks_at_the_five_likeliest_classes() -> None:
    rows = ranked([5, 4, 3, 2, 1, 0], [5, 4, 3, 2, 0, 1])

    found = full_score(predictions(rows, [0, 0], tuple(range(6))))

    assert (found.top1, found.top5) == (0.0, 0.5)


def test_top_5_of_fewer_classes_is_everything() -> None:
    found = full_score(predictions(ranked([0, 1]), [1], (0, 1)))

    assert (found.top1, found.top5) == (0.0, 1.0)


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    certain = torch.tensor([0.9, 0.1]).log().tolist()

    found = full_score(predictions([certain, certain], [0, 1], (0, 1)))

    assert found.ece == pytest.approx(0.9 - 0.5)


def test_of_a_single_class_nothing_but_that_class_is_chosen() -> None:
    found = full_score(predictions([[0.0, 3.0], [0.0, 3.0]], [0, 0], (0,)))

    assert (found.top1, found.class_mean, found.top5) == (1.0, 1.0, 1.0)
    assert found.ece == pytest.approx(0.0, abs=1e-6)


def test_a_single_class_is_told_from_all_others_in_the_full_label_space() -> None:
    both = predictions([[0.0, 3.0], [3.0, 0.0]], [0, 0], (0,))

    assert full_score(in_label_space(both, "full")).top1 == 0.5


def test_the_last_bin_of_the_calibration_error_holds_full_confidence() -> None:
    certain, nearly = [100.0, -100.0], torch.tensor([0.95, 0.05]).log().tolist()

    found = full_score(predictions([certain, nearly], [1, 0], (0, 1)))

    assert found.ece == pytest.approx((1 + 0.95) / 2 - 0.5)


def test_confidence_in_a_label_is_that_in_all_classes_that_stand_for_it() -> None:
    even = torch.tensor([0.5, 0.5, 1e-30]).log().tolist()

    found = full_score(predictions([even, even], [0, 0], (0, 1, 2), [0, 0, 2]))

    assert (found.top1, found.ece) == (1.0, pytest.approx(0.0, abs=1e-6))


def test_logits_between_0_and_1_are_not_taken_for_probabilities() -> None:
    found = full_score(predictions([[1.0, 0.0]], [0], (0, 1)))

    assert found.ece == pytest.approx(1 - torch.tensor(1.0).sigmoid().item())


def test_each_of_several_right_classes_is_right_everywhere() -> None:
    rows = ranked([1, 2, 0, 3, 4, 5, 6], [3, 1, 0, 2, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0])
    stands_for = [0, 0, 2, 3, 4, 5, 6]

    found = full_score(predictions(rows, [0, 0, 0], tuple(range(7)), stands_for))

    assert found.top1 == pytest.approx(1 / 3)
    assert found.top5 == pytest.approx(2 / 3)
    assert found.class_mean == pytest.approx(1 / 3)


def test_the_full_label_space_lets_every_class_win() -> None:
    both = predictions(ranked([2, 0, 1]), [0], (0, 1))

    subset, full = (full_score(in_label_space(both, space)) for space in ("subset", "full"))

    assert (subset.top1, subset.classes) == (1.0, 2)
    assert (full.top1, full.classes) == (0.0, 3)


def test_correct_images_are_told_one_by_one() -> None:
    found = correct_images(predictions(ranked([0, 1], [0, 1]), [0, 1], (0, 1)))

    assert found.tolist() == [True, False]


@pytest.mark.parametrize(("space", "expected"), [("subset", 1.0), ("full", 0.5)])
def test_accuracy_on_the_classes_of_another_set_leaves_other_images_out(space, expected) -> None:
    rows = ranked([0, 1, 2], [2, 1, 0], [0, 1, 2])

    found = top1_on_classes(predictions(rows, [0, 1, 2], (0, 1, 2)), {0, 1}, space)

    assert found == expected


def test_without_images_of_those_classes_there_is_no_accuracy() -> None:
    assert top1_on_classes(predictions(ranked([0, 1]), [0], (0, 1)), {1}, "subset") is None


def test_validation_is_among_the_classes_of_the_set() -> None:
    found = predictions([[0.0, 0.0, 9.0], [2.0, 0.0, 9.0], [2.0, 0.0, 9.0]], [0, 0, 1], (0, 1))

    scores = validation_scores(found)

    right = torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.0, 0.0]]).log_softmax(1)[range(3), [0, 0, 1]]
    assert scores["top1"] == pytest.approx(2 / 3)
    assert scores["class-mean"] == 0.5
    assert scores["loss"] == pytest.approx(-right.mean().item())


def test_a_label_has_the_probability_of_all_classes_that_stand_for_it() -> None:
    found = predictions([[0.0, 0.0, 0.0]], [0], (0, 1, 2), stands_for=[0, 0, 2])

    assert validation_scores(found)["loss"] == pytest.approx(math.log(3 / 2))


def test_each_class_with_images_has_its_accuracy() -> None:
    rows = ranked([0, 1, 2], [1, 0, 2], [2, 0, 1])

    found = class_results(predictions(rows, [0, 0, 2], (0, 1, 2)), ["a", "b", "c"])

    assert found == (ClassResult("a", 2, 0.5), ClassResult("c", 1, 1.0))
