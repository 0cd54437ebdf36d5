"""Accuracies that are no better than guessing."""

from __future__ import annotations

import numpy as np
import pytest

from cfft.scoring.chance import is_near_chance
from cfft.scoring.intervals import share_ci95
from cfft.scoring.results import SetResult


def measured(right: int, n: int, classes: int) -> SetResult:
    ends = share_ci95(np.arange(n) < right, np.arange(n))
    return SetResult("id", right / n, n, classes, ends)


@pytest.mark.parametrize(
    ("right", "n", "classes", "expected"),
    [
        (105, 1000, 10, True),
        (120, 1000, 10, False),  # little, and more than guessing
        (10, 1000, 10, True),  # worse than guessing: names in another order
        (500, 1000, 2, True),
        (550, 1000, 2, False),
        (75, 50_000, 1000, True),  # significantly above a thousandth, and of no use
        (1000, 50_000, 1000, False),
        (3, 5, 2, False),  # five images tell nothing
        (20, 20, 1, False),
    ],
)
def test_a_set_is_at_chance_where_enough_images_say_so(
    right: int, n: int, classes: int, expected: bool
) -> None:
    assert is_near_chance(measured(right, n, classes)) is expected


def test_without_an_interval_nothing_is_said() -> None:
    assert not is_near_chance(SetResult("id", 0.1, classes=10))
