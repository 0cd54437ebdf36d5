"""Seeded splits: nothing lost, every class in proportion, the same everywhere."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfft.data.splits import stratified_split, stratified_subset
from cfft.errors import ConfigError, DataError

SHARES = (70, 10, 20)
labels_with_three_of_each = st.lists(st.integers(3, 30), min_size=1, max_size=6).flatmap(
    lambda sizes: st.permutations([k for k, size in enumerate(sizes) for _ in range(size)])
)


def count(labels: list[int], indices: list[int], label: int) -> int:
    return sum(labels[index] == label for index in indices)


def off_by(labels: list[int], part: list[int], label: int, share: float) -> float:
    """Distance from the exact share, where the one that every class gets is not more than that."""
    exact = labels.count(label) * share / 100
    return 0.0 if exact < 1 else abs(count(labels, part, label) - exact)


@given(labels_with_three_of_each, st.integers(0, 2**31))
def test_a_split_is_a_partition(labels: list[int], seed: int) -> None:
    parts = stratified_split(labels, SHARES, seed)

    assert sorted(index for part in parts for index in part) == list(range(len(labels)))
    assert all(part == sorted(part) for part in parts)


@given(labels_with_three_of_each, st.integers(0, 2**31))
def test_every_class_is_in_every_part(labels: list[int], seed: int) -> None:
    parts = stratified_split(labels, SHARES, seed)

    assert all(count(labels, part, label) >= 1 for part in parts for label in set(labels))


@given(st.lists(st.integers(10, 60), min_size=1, max_size=4), st.integers(0, 2**31))
def test_a_class_is_less_than_one_image_off_its_share(sizes: list[int], seed: int) -> None:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]

    parts = stratified_split(labels, SHARES, seed)

    differences = [
        off_by(labels, part, label, share)
        for part, share in zip(parts, SHARES, strict=True)
        for label in set(labels)
    ]
    assert max(differences) < 1


def test_a_split_is_the_same_on_every_machine() -> None:
    labels = [0, 1] * 5

    assert stratified_split(labels, SHARES, seed=7) == [[1, 3, 4, 6, 8, 9], [0, 7], [2, 5]]


def test_percentages_and_shares_split_alike() -> None:
    labels = [0] * 15 + [1] * 25

    assert stratified_split(labels, (70, 10, 20), 0) == stratified_split(labels, (0.7, 0.1, 0.2), 0)


def test_seeds_split_differently() -> None:
    labels = [0] * 50

    assert stratified_split(labels, SHARES, 0) != stratified_split(labels, SHARES, 1)


def test_one_class_does_not_depend_on_the_others() -> None:
    alone = stratified_split([0] * 20, SHARES, 0)
    together = stratified_split([0] * 20 + [1] * 9, SHARES, 0)

    assert [[i for i in part if i < 20] for part in together] == alone


def test_a_part_without_a_share_is_empty() -> None:
    assert stratified_split([0, 0, 1], (100, 0), 0) == [[0, 1, 2], []]


def test_every_class_too_small_to_split_is_named_with_its_count() -> None:
    labels = [0, 0, 0, 1, 1, 2]

    with pytest.raises(
        DataError, match=r"3 parts .70/10/20. .*: 'owl' has 2 images, 'fox' has 1 image: add"
    ):
        stratified_split(labels, SHARES, 0, class_names=("cat", "owl", "fox"))


@pytest.mark.parametrize("shares", [(), (0, 0), (2, -1), (float("nan"), 1)])
def test_shares_that_divide_nothing_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="shares of a split"):
        stratified_split([0, 0], shares, 0)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_a_subset_has_the_size_asked_for_and_every_class(
    sizes: list[int], data: st.DataObject
) -> None:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    n = data.draw(st.integers(len(sizes), len(labels)))

    subset = stratified_subset(labels, n, seed=0)

    assert len(set(subset)) == n
    assert {labels[index] for index in subset} == set(labels)


def test_a_subset_keeps_the_class_shares() -> None:
    labels = [0] * 30 + [1] * 60 + [2] * 10

    subset = stratified_subset(labels, 10, seed=0)

    assert [count(labels, subset, label) for label in range(3)] == [3, 6, 1]


def test_a_rare_class_keeps_one_image_at_the_cost_of_the_largest() -> None:
    labels = [0] * 1000 + [1, 2, 3, 4]

    subset = stratified_subset(labels, 6, seed=0)

    assert [count(labels, subset, label) for label in range(5)] == [2, 1, 1, 1, 1]


def test_a_subset_larger_than_the_set_is_the_set() -> None:
    assert stratified_subset([0, 1, 1], 9, seed=0) == [0, 1, 2]


def test_a_subset_smaller_than_the_number_of_classes_is_refused() -> None:
    with pytest.raises(ConfigError, match="2 training images are too few for 3 classes"):
        stratified_subset([0, 1, 2, 2], 2, seed=0)


def test_a_subset_may_leave_out_classes_where_nobody_needs_all() -> None:
    found = stratified_subset([0, 0, 1, 1, 2, 2], 2, 0, every_class=False)

    assert len({index // 2 for index in found}) == len(found) == 2


def ranks(labels: Sequence[int], indices: Iterable[int]) -> set[tuple[int, int]]:
    """Name images by class and place among the images of that class."""
    return {(labels[index], list(labels[:index]).count(labels[index])) for index in indices}


@given(labels_with_three_of_each, st.integers(0, 2**31))
def test_the_images_of_a_class_part_alike_however_classes_are_mixed(
    labels: list[int], seed: int
) -> None:
    in_turn = sorted(labels)

    mixed = [ranks(labels, part) for part in stratified_split(labels, SHARES, seed)]

    assert mixed == [ranks(in_turn, part) for part in stratified_split(in_turn, SHARES, seed)]


@given(labels_with_three_of_each, st.integers(0, 2**31), st.data())
def test_a_subset_is_alike_however_classes_are_mixed(
    labels: list[int], seed: int, data: st.DataObject
) -> None:
    n, in_turn = data.draw(st.integers(len(set(labels)), len(labels))), sorted(labels)

    mixed = ranks(labels, stratified_subset(labels, n, seed))

    assert mixed == ranks(in_turn, stratified_subset(in_turn, n, seed))


@given(labels_with_three_of_each, st.integers(0, 2**31))
def test_equal_seeds_draw_alike(labels: list[int], seed: int) -> None:
    n = len(labels) - 1

    assert stratified_split(labels, SHARES, seed) == stratified_split(labels, SHARES, seed)
    assert stratified_subset(labels, n, seed) == stratified_subset(labels, n, seed)
