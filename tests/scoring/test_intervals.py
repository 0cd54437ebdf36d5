"""Intervals of accuracies where images are versions of one another, by hand."""

import numpy as np
import pytest

from cfft.scoring.intervals import (
    REPLICATES,
    effective_count,
    interval95,
    resampled_top1,
    share_ci95,
)

ALTERNATING = np.array([True, False] * 10)


def test_images_that_stand_for_themselves_all_count() -> None:
    assert effective_count(ALTERNATING, np.arange(20)) == pytest.approx(20)


def test_copies_of_an_image_count_once() -> None:
    outcome, original = np.tile(ALTERNATING, 5), np.tile(np.arange(20), 5)

    assert effective_count(outcome, original) == pytest.approx(20)
    assert share_ci95(outcome, original) == pytest.approx(share_ci95(ALTERNATING, np.arange(20)))


def test_versions_that_fare_differently_tell_more_than_copies() -> None:
    # right of 2: 2, 0, 1, 1; off from the mean of 1: 1, -1, 0, 0; 0.25 * 8^2 / 2 = 8
    outcome = np.array([True, True, False, False, True, False, True, False])
    more = np.array([True, True, False, False, True, False, True, True])
    original = np.array([0, 0, 1, 1, 2, 2, 3, 3])

    assert effective_count(outcome, original) == pytest.approx(8)
    # right: 2, 0, 1, 2 of 2, share 5/8; off: 0.75, -1.25, -0.25, 0.75, squares sum to 2.75
    assert effective_count(more, original) == pytest.approx(5 / 8 * 3 / 8 * 64 / 2.75)


def test_versions_that_make_up_for_each_other_are_no_more_than_their_number() -> None:
    assert effective_count(ALTERNATING, np.arange(20) // 2) == 20


def test_versions_of_a_single_image_count_as_one() -> None:
    assert effective_count(ALTERNATING, np.full(20, 3)) == 1


@pytest.mark.parametrize(("right", "expected"), [(False, (0.0, 1 - 0.025**0.25)),
                                                 (True, (0.025**0.25, 1.0))])  # fmt: skip
def test_where_all_fare_alike_each_original_counts_once(right, expected) -> None:
    found = share_ci95(np.full(8, right), np.arange(8) // 2)

    assert found == pytest.approx(expected)


def test_models_are_measured_on_the_same_redrawn_images() -> None:
    found = resampled_top1([ALTERNATING, ~ALTERNATING], np.arange(20), "photo")
    (alone,) = resampled_top1([ALTERNATING], np.arange(20), "photo")

    assert found.shape == (2, REPLICATES)
    np.testing.assert_allclose(found.sum(axis=0), 1)
    np.testing.assert_array_equal(found[0], alone)


def test_redrawn_accuracies_spread_as_those_of_independent_images_do() -> None:
    (found,) = resampled_top1([ALTERNATING], np.arange(20), "photo")

    assert found.mean() == pytest.approx(0.5, abs=0.02)
    assert found.std() == pytest.approx((0.25 / 20) ** 0.5, rel=0.1)


def test_versions_of_an_image_are_redrawn_together() -> None:
    (found,) = resampled_top1([np.tile(ALTERNATING, 5)], np.tile(np.arange(20), 5), "photo")

    np.testing.assert_allclose(found, *resampled_top1([ALTERNATING], np.arange(20), "photo"))


def test_an_interval_leaves_a_fortieth_out_at_each_end() -> None:
    assert interval95(np.linspace(0, 1, 1001)) == pytest.approx((0.025, 0.975))
