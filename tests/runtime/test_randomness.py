import pytest
import torch

from cfft.runtime.randomness import generator


def draws(*parts) -> list[int]:
    return torch.randint(0, 2**40, (4,), generator=generator(*parts)).tolist()


def test_the_same_purpose_gives_the_same_draws():
    assert draws(7, "mask", 1, 20) == draws(7, "mask", 1, 20)


@pytest.mark.parametrize(
    "parts", [(8, "mask", 1, 20), (7, "fill", 1, 20), (7, "mask", 2, 20), (7, "mask", 1, 21)]
)
def test_seed_purpose_process_and_step_each_change_the_draws(parts):
    assert draws(*parts) != draws(7, "mask", 1, 20)


def test_neighbouring_parts_do_not_run_together():
    assert draws(7, "mask", 1, 12) != draws(7, "mask", 11, 2)


def test_draws_are_the_same_on_every_machine():
    assert generator(0, "order").initial_seed() == 10643517768777252692


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()

    draws(7, "order")

    assert torch.equal(torch.get_rng_state(), before)
