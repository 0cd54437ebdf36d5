"""Averages of weights over steps, by the share of the newest weights, and what they add up to."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import cfft
from cfft.testing import check_strategy, tiny_classifier
from cfft.testing.models import TinyText
from cfft.training.averaging import WeightAverage
from cfft_averages import BetaAverage, EmaAverage, SwaAverage


def weights_of_steps(average: cfft.Average, steps: int) -> list[float]:
    """Return the weight in the final average of the start and of every step."""
    found = [1.0]
    for step in range(1, steps + 1):
        share = average.weigh(step, steps)
        found = [*(weight * (1 - share) for weight in found), share]
    return found


def test_ema_keeps_decay_of_the_old_average_at_every_step() -> None:
    assert weights_of_steps(EmaAverage(decay=0.5), 3) == [0.125, 0.125, 0.25, 0.5]


def test_ema_with_warm_up_forgets_its_first_steps_and_then_keeps_decay() -> None:
    average = EmaAverage(decay=0.9, warmup=True)

    assert average.weigh(1, 100) == pytest.approx(1 - 2 / 11)
    assert average.weigh(2, 100) == pytest.approx(1 - 3 / 12)
    assert average.weigh(81, 100) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("start", "every", "expected"),
    [
        (0.5, 1, [0, 0, 1 / 3, 1 / 3, 1 / 3]),
        (0.5, 2, [0, 0, 1 / 2, 0, 1 / 2]),
        (0.0, 1, [0, 1 / 4, 1 / 4, 1 / 4, 1 / 4]),
        (0.9, 1, [0, 0, 0, 0, 1]),
    ],
)
def test_swa_averages_the_last_part_equally(
    start: float, every: int, expected: list[float]
) -> None:
    found = weights_of_steps(SwaAverage(start=start, every=every), 4)

    assert found == pytest.approx(expected)


def test_swa_is_the_student_until_it_begins() -> None:
    assert [SwaAverage(start=0.5).weigh(step, 8) for step in (1, 2, 3)] == [1, 1, 1]


def test_beta_weighs_each_step_by_the_density_of_its_place() -> None:
    # places 1/6, 3/6, 5/6; densities of Beta(1/2, 1/2) are 1 / sqrt(x (1 - x)) up to a factor
    ends, middle = (5 / 36) ** -0.5, (1 / 4) ** -0.5

    found = weights_of_steps(BetaAverage(beta=0.5), 2)

    total = 2 * ends + middle
    assert found == pytest.approx([ends / total, middle / total, ends / total])


def test_beta_of_one_is_the_plain_mean_with_the_start() -> None:
    assert weights_of_steps(BetaAverage(beta=1.0), 4) == pytest.approx([1 / 5] * 5)


@pytest.mark.parametrize(
    "average", [EmaAverage(), EmaAverage(warmup=True), SwaAverage(every=3), BetaAverage(beta=0.3)]
)
def test_the_weights_of_all_steps_add_up_to_one_and_none_is_negative(
    average: cfft.Average,
) -> None:
    found = weights_of_steps(average, 17)

    assert sum(found) == pytest.approx(1)
    assert min(found) >= 0


@pytest.mark.parametrize(
    ("cls", "values"),
    [(EmaAverage, {"warmup": True}), (SwaAverage, {"every": 7}), (BetaAverage, {"beta": 3.0})],
)
def test_averages_keep_the_rules_in_every_form(cls: type, values: dict[str, object]) -> None:
    check_strategy(cls, values)


def filled(value: float) -> cfft.Classifier:
    model = tiny_classifier()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)
    return model


def test_a_weight_average_takes_in_a_share_of_the_students_weights_and_text_tower() -> None:
    text, tower = TinyText(), TinyText(seed=1)
    before = text.letters.detach().clone()
    average = WeightAverage(EmaAverage(decay=0.75), filled(0.0), text)

    average.update(filled(4.0).weights(), tower, 1, 9)
    average.update(filled(8.0).weights(), tower, 2, 9)

    assert {float(v) for t in average.model.weights().values() for v in t.unique()} == {2.75}
    kept = 0.75**2
    assert_close(text.letters, kept * before + (1 - kept) * tower.letters)


def test_a_weight_average_leaves_the_student_alone_and_stays_in_float32() -> None:
    student = filled(4.0).to(torch.bfloat16)
    average = WeightAverage(SwaAverage(), filled(0.0))

    average.update(student.weights(), None, 1, 9)

    assert {float(value.unique()) for value in student.weights().values()} == {4.0}
    assert {p.dtype for p in average.model.parameters()} == {torch.float32}


class Counting(nn.Module):
    """Have a buffer that is no floating-point number."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.tensor(count))


def test_counts_are_copied_and_never_averaged() -> None:
    text = Counting(3)
    average = WeightAverage(EmaAverage(), filled(0.0), text)

    average.update(filled(1.0).weights(), Counting(8), 1, 9)

    assert int(text.count) == 8


def test_later_beta_shares_fall_until_the_end_rises() -> None:
    shares = [BetaAverage(beta=0.5).weigh(step, 40) for step in range(1, 41)]

    assert all(one > other for one, other in pairwise(shares[:20]))
    assert shares[-1] > shares[-2]
