"""Effective robustness, by hand: logit(0.5) = 0, logit(0.8) = log 4, logit(0.2) = -log 4."""

import math

import pytest

from cfft.scoring.robustness import AccuracyLine, effective_robustness, fit_line, fit_lines


def test_the_line_goes_through_two_models():
    line = fit_line([(0.5, 0.2), (0.8, 0.5)])

    assert (line.slope, line.intercept) == pytest.approx((1, -math.log(4)))
    assert (line.models, line.r2) == pytest.approx((2, 1))


def test_the_line_is_straight_between_logits_and_not_between_accuracies():
    line = fit_line([(0.5, 0.5), (0.8, 0.8)])

    assert line.expected(0.9) == pytest.approx(0.9)


def test_effective_robustness_is_the_distance_in_accuracy_above_the_line():
    line = AccuracyLine(slope=1, intercept=-math.log(4), models=2, r2=1)

    assert effective_robustness(0.8, 0.55, line) == pytest.approx(0.05)


def test_a_line_through_several_models_leaves_no_residual_on_average_between_logits():
    line = fit_line([(0.5, 0.2), (0.5, 0.5), (0.8, 0.5)])

    assert line.expected(0.5) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "accuracies",
    [
        [],
        [(0.5, 0.2)],
        [(0.5, 0.2), (0.5, 0.3)],
        [(0.5, 0.2), (1.0, 0.3)],
        [(0.5, 0.2), (0.8, 0)],
        [(0.5, 0.2), (0.8, 1)],
        [(0.5, 0.2), (0, 0.3)],
    ],
)
def test_there_is_no_line_without_two_models_of_different_id_accuracy(accuracies):
    assert fit_line(accuracies) is None


def test_a_line_through_equal_ood_accuracies_is_flat():
    line = fit_line([(0.5, 0.2), (0.8, 0.2)])

    assert line.expected(0.6) == pytest.approx(0.2)


@pytest.mark.parametrize("id_accuracy", [0.0, 1.0])
def test_a_rising_line_predicts_nothing_at_the_ends_of_the_scale(id_accuracy):
    line = AccuracyLine(slope=1, intercept=0, models=3, r2=1)

    assert effective_robustness(id_accuracy, 0.9, line) is None


def test_a_level_line_predicts_the_same_at_the_ends_of_the_scale_and_explains_nothing():
    line = fit_line([(0.5, 0.4), (0.7, 0.4)])

    assert effective_robustness(1.0, 0.5, line) == pytest.approx(0.1)
    assert line.r2 is None


def test_a_target_has_a_line_where_enough_models_were_measured_on_it():
    models = [
        {"photo": 0.5, "art": 0.2, "snow": 0.3},
        {"photo": 0.8, "art": 0.5, "snow": 0.6},
        {"photo": 0.6, "art": 0.3},
        {"art": 0.9},
    ]

    found = fit_lines(models, "photo", ["art", "snow"])

    assert {name: line.models for name, line in found.items()} == {"art": 3}
