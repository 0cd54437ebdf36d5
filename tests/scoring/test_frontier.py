"""OOD accuracy along a curve at a given ID accuracy, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfft.scoring.frontier import ood_at, reaches

ID = np.array([[0.96], [0.94], [0.90]])  # a curve of three points, one replicate
OOD = np.array([[0.66], [0.70], [0.72]])


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (0.96, 0.66),
        (0.94, 0.70),
        (0.95, 0.68),  # half way between the first two
        (0.91, 0.715),  # a quarter of the way from the last to the second
        (0.97, 0.64),  # the first two's line goes on
        (0.88, 0.73),  # and so does that of the last two
    ],
)
def test_between_two_points_a_curve_is_a_line(at: float, expected: float) -> None:
    np.testing.assert_allclose(ood_at(ID, OOD, np.array([at])), [expected])


def test_the_order_of_points_does_not_matter() -> None:
    at = np.array([0.95])

    np.testing.assert_array_equal(ood_at(ID[::-1], OOD[::-1], at), ood_at(ID, OOD, at))


def test_each_replicate_has_points_of_its_own() -> None:
    id_ = np.array([[0.9, 0.8], [0.8, 0.9]])
    ood = np.array([[0.6, 0.5], [0.7, 0.6]])

    found = ood_at(id_, ood, np.array([0.85, 0.825]))

    np.testing.assert_allclose(found, [0.65, 0.525])


def test_two_points_of_one_id_accuracy_count_with_their_mean() -> None:
    id_, ood = np.array([[0.9], [0.9]]), np.array([[0.6], [0.7]])

    np.testing.assert_allclose(ood_at(id_, ood, np.array([0.9])), [0.65])


def test_a_single_point_reaches_its_own_id_accuracy_alone() -> None:
    id_, ood = np.array([[0.9, 0.9]]), np.array([[0.6, 0.6]])
    at = np.array([0.9, 0.8])

    np.testing.assert_array_equal(reaches(id_, at), [True, False])
    np.testing.assert_array_equal(ood_at(id_, ood, at), [0.6, 0.6])


def test_a_curve_reaches_what_lies_between_its_outermost_points() -> None:
    at = np.array([[0.96], [0.93], [0.9], [0.961], [0.89]])

    assert [bool(reaches(ID, each)[0]) for each in at] == [True, True, True, False, False]


@given(st.lists(st.floats(0.1, 0.9), min_size=2, max_size=5, unique=True), st.floats(0, 1))
def test_points_on_a_line_give_that_line_everywhere(points: list[float], at: float) -> None:
    id_ = np.array(points)[:, None]
    spaced = np.diff(np.sort(id_[:, 0])).min() > 1e-3

    found = ood_at(id_, 0.8 - 0.5 * id_, np.array([at]))

    assert not spaced or found[0] == pytest.approx(0.8 - 0.5 * at)
