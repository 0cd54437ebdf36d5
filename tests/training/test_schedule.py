"""Learning rates by step, against values worked by hand."""

import pytest
import torch
from torch.optim import AdamW

from cfft.config.settings import Training
from cfft.training.schedule import Steps, count_steps, factor, make_scheduler


def rates(schedule: str, steps: Steps, lr: float = 1.0) -> list[tuple[float, float]]:
    """Return learning rate and beta1 of every step."""
    optimizer = AdamW([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make_scheduler(optimizer, Training(schedule=schedule, lr=lr), steps)
    found = []
    for _ in range(steps.total):
        group = optimizer.param_groups[0]
        found.append((group["lr"], group["betas"][0]))
        optimizer.step()
        scheduler.step()
    return found


def test_warm_up_rises_in_equal_parts_and_the_cosine_falls_to_half_in_the_middle() -> None:
    steps = Steps(per_epoch=6, total=6, warmup=2)

    found = [factor(step, steps, falls=True) for step in range(7)]

    expected = [0.5, 1.0, 1.0, 0.853553, 0.5, 0.146447, 0.0]
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_constant_schedule_stays_at_its_peak_after_the_warm_up() -> None:
    steps = Steps(per_epoch=4, total=4, warmup=2)

    assert [factor(step, steps, falls=False) for step in range(4)] == [0.5, 1.0, 1.0, 1.0]


def test_the_scheduler_starts_with_the_first_step_of_the_warm_up() -> None:
    found = rates("cosine", Steps(per_epoch=6, total=6, warmup=2), lr=4.0)

    assert [lr for lr, _ in found][:3] == pytest.approx([2.0, 4.0, 4.0])


def test_one_cycle_rises_over_two_percent_from_a_25th_and_cycles_beta1_against_it() -> None:
    found = rates("one-cycle", Steps(per_epoch=200, total=200, warmup=9))

    assert found[0] == pytest.approx((1 / 25, 0.95))
    assert found[3] == pytest.approx((1.0, 0.85))
    assert found[199] == pytest.approx((1 / 25e4, 0.95))


@pytest.mark.parametrize("total", [1, 2, 3, 49, 50, 51])
def test_one_cycle_starts_at_a_25th_however_short_the_run_is(total: int) -> None:
    found = rates("one-cycle", Steps(per_epoch=total, total=total, warmup=0))

    assert found[0] == pytest.approx((1 / 25, 0.95))


@pytest.mark.parametrize(
    ("training", "warmup"),
    [
        (Training(epochs=10, warmup_share=0.05), 10),
        (Training(epochs=10, warmup_steps=7), 7),
        (Training(epochs=10, warmup_steps=0), 0),
    ],
)
def test_warm_up_steps_go_before_their_share(training: Training, warmup: int) -> None:
    assert count_steps(training, per_epoch=20) == Steps(20, 200, warmup)
