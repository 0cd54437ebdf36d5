"""Averages of weights, worked by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

import cfft


def test_average_lies_alpha_of_the_way_from_the_first_to_the_second() -> None:
    first, second = {"w": torch.tensor([0.0, 4.0])}, {"w": torch.tensor([8.0, 0.0])}

    average = cfft.average_weights(first, second, 0.25)

    assert_close(average["w"], torch.tensor([2.0, 3.0]))


@pytest.mark.parametrize(("alpha", "kept"), [(0.0, 0), (1.0, 1)])
def test_the_ends_are_the_models_themselves_bit_for_bit(alpha: float, kept: int) -> None:
    models = [{"w": torch.tensor([0.1, 1e-30])}, {"w": torch.tensor([0.7, -3.0])}]

    average = cfft.average_weights(*models, alpha)

    assert torch.equal(average["w"], models[kept]["w"])


def test_half_precision_is_averaged_in_float32_and_kept_half() -> None:
    smallest = {"w": torch.tensor([2.0**-24], dtype=torch.float16)}  # half of it would be 0

    average = cfft.average_weights(smallest, smallest, 0.5)

    assert_close(average["w"], smallest["w"], rtol=0, atol=0)


def test_inputs_stay_as_they_were() -> None:
    first, second = {"w": torch.zeros(2)}, {"w": torch.ones(2)}

    cfft.average_weights(first, second, 0.5)["w"].add_(1)

    assert_close(first["w"], torch.zeros(2))


def test_whole_numbers_that_agree_are_kept() -> None:
    counts = {"count": torch.tensor(3)}

    assert_close(cfft.average_weights(counts, counts, 0.5)["count"], torch.tensor(3))


def test_whole_numbers_that_differ_have_no_average() -> None:
    with pytest.raises(cfft.WeightsError, match="count differs"):
        cfft.average_weights({"count": torch.tensor(3)}, {"count": torch.tensor(4)}, 0.5)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"w": torch.zeros(3)}, r"w is \[3\] instead of \[2\]"),
        ({}, r"1 missing \(w\)"),
        ({"w": torch.zeros(2), "v": torch.zeros(1)}, r"1 unexpected \(v\)"),
    ],
)
def test_models_that_do_not_match_are_told_apart(other: dict[str, Tensor], words: str) -> None:
    with pytest.raises(cfft.WeightsError, match=words):
        cfft.average_weights({"w": torch.zeros(2)}, other, 0.5)


def test_alpha_beyond_its_range_is_refused() -> None:
    with pytest.raises(cfft.ConfigError, match=r"alpha 1.5 is out of range"):
        cfft.average_weights({}, {}, 1.5)


@given(st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=2), st.floats(0, 1, width=32))
def test_averaging_a_model_with_itself_changes_nothing(values: list[float], alpha: float) -> None:
    model = {"w": torch.tensor(values)}

    assert_close(cfft.average_weights(model, model, alpha), model)
