"""Compact series: the same texts and numbers, in a few bytes each."""

import pickle

import numpy as np
import pytest

from cfft.data.compact import Batches, Numbers, Texts

NAMES = ("", "cat/a.png", "h\u00fcnd/\u732b.png", "broken\udcff.png", "z")


def test_texts_are_given_back_as_they_were() -> None:
    texts = Texts(NAMES)

    assert [texts[index] for index in range(5)] == list(NAMES)
    assert (texts[-1], texts[1:3], list(texts)) == ("z", NAMES[1:3], list(NAMES))
    assert "cat/a.png" in texts


def test_series_equal_tuples_of_the_same() -> None:
    assert Texts(NAMES) == NAMES
    assert Texts(NAMES) == NAMES
    assert Texts(NAMES) != NAMES[:-1]
    assert Numbers([3, 1]) == (3, 1)
    assert Numbers([3, 1]) != [3, 2]
    assert Texts(["a"]) != "a"


def test_numbers_are_pythons() -> None:
    numbers = Numbers(range(5, 10))

    assert type(numbers[0]) is int
    assert (numbers[-1], numbers[1:3], list(numbers)) == (9, (6, 7), [5, 6, 7, 8, 9])
    assert np.asarray(numbers, np.int64).tolist() == [5, 6, 7, 8, 9]


@pytest.mark.parametrize("series", [Texts(NAMES), Numbers([1, 2])])
def test_outside_of_a_series_is_nothing(series: Texts | Numbers) -> None:
    with pytest.raises(IndexError):
        series[len(series)]


@pytest.mark.parametrize("series", [Texts(()), Numbers(())])
def test_a_series_may_be_empty(series: Texts | Numbers) -> None:
    assert list(series) == []
    assert series == ()


def test_batches_come_in_turns_of_their_parts() -> None:
    batches = Batches([np.array([[1, 2], [5, 6]]), np.array([[3], [7]])])

    assert batches == [[1, 2], [3], [5, 6], [7]]
    assert (batches[-1], batches[1:3], len(batches)) == ([7], ([3], [5, 6]), 4)
    assert Batches([np.empty((0, 2), np.int64)]) == []


def test_a_long_series_goes_to_another_process_in_few_bytes() -> None:
    names = tuple(f"n{number:08}/image_{number:08}.JPEG" for number in range(10_000))

    sent = pickle.dumps(Texts(names))

    assert len(sent) < 10_000 * (len(names[0]) + 9)
    assert pickle.loads(sent) == names


def test_iterating_takes_all_in_order_whatever_the_length() -> None:
    assert list(Numbers(range(9000))) == list(range(9000))
    assert list(Texts(map(str, range(9000)))) == [str(number) for number in range(9000)]
