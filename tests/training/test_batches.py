"""Batches: every image at most once an epoch, shared out without overlap, resumed anywhere."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfft.config.settings import Training
from cfft.errors import ConfigError
from cfft.training.batches import BatchPlan, fuller_batch, plan_batches


def test_an_epoch_has_full_batches_of_different_images() -> None:
    found = BatchPlan(images=11, batch=4, processes=1, micro=2).micro_batches(0, 0, 0)

    assert list(map(len, found)) == [2, 2, 2, 2]
    assert len(set(chain(*found))) == 8


def test_processes_share_each_batch_without_overlap() -> None:
    plan = BatchPlan(images=8, batch=8, processes=2, micro=4)
    alone = BatchPlan(images=8, batch=8, processes=1, micro=8)

    first, second = (plan.micro_batches(0, 0, process) for process in (0, 1))

    assert [first[0] + second[0]] == alone.micro_batches(0, 0, 0)


def test_a_resumed_epoch_goes_on_with_the_same_batches() -> None:
    plan = BatchPlan(images=12, batch=4, processes=1, micro=2)

    assert plan.micro_batches(0, 3, 0, first_step=1) == plan.micro_batches(0, 3, 0)[2:]


def test_numbers_are_the_places_of_images_in_the_orders_of_all_epochs() -> None:
    plan = BatchPlan(images=5, batch=4, processes=2, micro=2)

    assert [plan.numbers(2, process) for process in (0, 1)] == [[[10, 11]], [[12, 13]]]
    assert plan.numbers(2, 0, first_step=1) == []


def test_balanced_sampling_draws_all_classes_as_often() -> None:
    labels = [0] * 900 + [1] * 100
    training = Training(batch_size=1000, sampling="balanced")
    plan = plan_batches(training, images=1000, processes=1, labels=labels)

    order = plan.order(0, 0)

    assert len(order) == 1000
    assert abs(sum(labels[index] for index in order) - 500) < 50  # 3 standard deviations
    assert order == plan.order(0, 0) != plan.order(0, 1)


def test_every_epoch_and_seed_has_an_order_of_its_own() -> None:
    plan = BatchPlan(images=50, batch=50, processes=1, micro=50)

    orders = [
        tuple(plan.micro_batches(seed, epoch, 0)[0]) for seed, epoch in [(0, 0), (0, 1), (1, 0)]
    ]

    assert len(set(orders)) == 3


def test_fewer_images_than_a_batch_make_one_smaller_batch_in_even_parts() -> None:
    plan = plan_batches(Training(batch_size=16, micro_batch=4), images=10, processes=1)

    found = plan.micro_batches(0, 0, 0)

    assert list(map(len, found)) == [4, 3, 3]
    assert sorted(chain(*found)) == list(range(10))
    assert plan.smallest_micro == 3


def test_fewer_images_than_a_batch_are_cut_to_a_multiple_of_the_processes() -> None:
    plan = plan_batches(Training(batch_size=16), images=7, processes=2)

    assert (plan.batch, plan.share, plan.steps_per_epoch) == (6, 3, 1)


def test_without_a_micro_batch_nothing_is_accumulated() -> None:
    plan = plan_batches(Training(batch_size=16), images=100, processes=2)

    assert (plan.micro, plan.accumulation, plan.steps_per_epoch) == (8, 1, 6)


@pytest.mark.parametrize(
    ("batch", "micro", "processes", "words"),
    [
        (
            10,
            4,
            1,
            "10 [^:]* is no multiple.*4 x 1 processes = 4: give --batch-size 8 or 12",
        ),
        (
            12,
            4,
            2,
            "12 [^:]* is no multiple.*4 x 2 processes = 8: give --batch-size 8 or 16",
        ),
        (
            3,
            None,
            2,
            "3 [^:]* is no multiple.*1 x 2 processes = 2: give --batch-size 2 or 4",
        ),
        (
            1,
            None,
            2,
            "1 [^:]* is no multiple.*1 x 2 processes = 2: give --batch-size 2",
        ),
    ],
)
def test_a_batch_that_cannot_be_divided_is_refused_with_the_numbers(
    batch: int, micro: int | None, processes: int, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        plan_batches(Training(batch_size=batch, micro_batch=micro), 100, processes)


def test_fewer_images_than_processes_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 training images are too few for 4 processes"):
        plan_batches(Training(batch_size=8), images=2, processes=4)


@pytest.mark.parametrize(
    ("images", "asked", "unit", "found"),
    [(27, 20, 1, 13), (27, 20, 5, 5), (100, 64, 1, 50), (3, 2, 1, None), (27, 20, 8, None)],
)
def test_a_batch_that_leaves_out_few_images_is_found(
    images: int, asked: int, unit: int, found: int | None
) -> None:
    assert fuller_batch(images, asked, unit) == found


@st.composite
def plans(draw: st.DrawFn) -> BatchPlan:
    processes, micro, parts = (draw(st.integers(1, 4)) for _ in range(3))
    batch = processes * micro * parts
    return BatchPlan(draw(st.integers(batch, 5 * batch)), batch, processes, micro)


def steps(plan: BatchPlan, seed: int) -> list[list[list[int]]]:
    """Return the micro-batches of each process by step."""
    own = [plan.micro_batches(seed, 0, process) for process in range(plan.processes)]
    each = plan.accumulation
    return [
        [part for parts in own for part in parts[step * each : (step + 1) * each]]
        for step in range(plan.steps_per_epoch)
    ]


@given(plans(), st.integers(0, 2**31))
def test_no_image_is_seen_twice_in_an_epoch(plan: BatchPlan, seed: int) -> None:
    seen = [index for step in steps(plan, seed) for part in step for index in part]

    assert len(seen) == len(set(seen)) == plan.steps_per_epoch * plan.batch
    assert set(seen) <= set(range(plan.images))


@given(plans(), st.integers(0, 2**31))
def test_processes_and_micro_batches_only_part_what_one_process_would_see(
    plan: BatchPlan, seed: int
) -> None:
    alone = BatchPlan(plan.images, plan.batch, 1, plan.batch)

    parted = [set(chain(*step)) for step in steps(plan, seed)]

    assert parted == [set(chain(*step)) for step in steps(alone, seed)]


@given(plans(), st.integers(0, 2**31), st.data())
def test_an_epoch_that_is_resumed_anywhere_draws_the_rest(
    plan: BatchPlan, seed: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, plan.steps_per_epoch))

    rest = plan.micro_batches(seed, 0, 0, first_step=first)

    assert rest == plan.micro_batches(seed, 0, 0)[first * plan.accumulation :]
