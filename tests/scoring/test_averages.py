"""The OOD average, by hand."""

from __future__ import annotations

import pytest

from cfft.scoring.averages import ood_average, with_ood_average

SHARES = {"photo": 0.9, "art": 0.2, "snow": 0.6}


def test_the_average_is_the_plain_mean_of_the_named_sets() -> None:
    assert ood_average(SHARES, ["art", "snow"]) == pytest.approx(0.4)


@pytest.mark.parametrize("names", [[], ["art", "sketch"]])
def test_there_is_no_average_without_sets_or_where_one_is_missing(names: list[str]) -> None:
    assert ood_average(SHARES, names) is None
    assert with_ood_average(SHARES, names) == SHARES


def test_the_average_stands_beside_the_sets_as_if_it_were_one() -> None:
    found = with_ood_average(SHARES, ["art", "snow"], "mean")

    assert found == {**SHARES, "mean": pytest.approx(0.4)}
