"""The merges that come with cfft, worked by hand."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

import cfft
from cfft.plugin.registry import Registry
from cfft.testing import check_strategy
from cfft_merges import GreedySoup, LayerWiseMerge, ModelStockMerge, UniformSoup, WiseMerge
from cfft_merges.layer_wise import depths

Weights = Mapping[str, Tensor]


def model(*values: float) -> dict[str, Tensor]:
    return {"w": torch.tensor(values)}


def unused(weights: Weights, candidate: str) -> float:
    raise AssertionError(f"{candidate} must not be measured")


def nearness_to(target: float):
    """Score weights by how near the first one is to `target`."""
    return lambda weights, candidate: 1 / (1 + abs(float(weights["w"][0]) - target))


class Tried(list[str]):
    """Score weights by the first one, and list the candidates."""

    def __call__(self, weights: Weights, candidate: str) -> float:
        self.append(candidate)
        return float(weights["w"][0])


@pytest.mark.parametrize(
    "declared",
    [provided.declaration for provided in Registry.installed().of_kind("merge")],
    ids=lambda declared: declared.name,
)
def test_every_merge_keeps_the_rules_of_its_kind(declared) -> None:
    check_strategy(declared.cls)


def test_wise_that_chooses_on_validation_keeps_the_rules_of_merges() -> None:
    check_strategy(WiseMerge, {"alpha": None})


@pytest.mark.parametrize(("alpha", "end"), [(0.0, 0), (1.0, 1)])
def test_wise_at_its_ends_is_the_model_itself(alpha: float, end: int) -> None:
    start, tuned = model(0.1, 1e-30), model(0.7, -3.0)

    merged = WiseMerge(alpha=alpha).merge(start, [tuned], unused)

    assert torch.equal(merged["w"], (start, tuned)[end]["w"])


def test_wise_takes_the_last_of_several_models() -> None:
    merged = WiseMerge(alpha=0.25).merge(model(0.0), [model(100.0), model(8.0)], unused)

    assert_close(merged, model(2.0))


def test_wise_without_an_alpha_takes_the_one_with_the_best_validation_accuracy() -> None:
    merged = WiseMerge(alpha=None).merge(model(0.0), [model(1.0)], nearness_to(0.32))

    assert_close(merged, model(0.3))


def test_wise_takes_the_smallest_of_equally_good_alphas() -> None:
    merged = WiseMerge(alpha=None).merge(
        model(0.0), [model(1.0)], lambda weights, _: float(weights["w"][0] > 0.35)
    )

    assert_close(merged, model(0.4))


def test_uniform_soup_is_the_mean() -> None:
    merged = UniformSoup().merge(model(9.0), [model(1.0), model(2.0), model(6.0)], unused)

    assert_close(merged, model(3.0))


@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=4),
    st.integers(2, 7),
)
def test_uniform_soup_of_copies_is_the_copy_bit_for_bit(values: list[float], copies: int) -> None:
    own = model(*values)

    merged = UniformSoup().merge(model(*[0.0] * len(values)), [own] * copies, unused)

    assert torch.equal(merged["w"], own["w"])


def test_soups_refuse_whole_numbers_that_differ() -> None:
    models = [{"count": torch.tensor(3)}, {"count": torch.tensor(4)}]

    with pytest.raises(cfft.WeightsError, match="count differs"):
        UniformSoup().merge(models[0], models, unused)


def test_greedy_soup_keeps_what_does_not_lower_the_validation_accuracy() -> None:
    models = [model(-4.0), model(3.0), model(0.0)]

    # 0 is best alone, then 3 (too far with 0: 1.5), then -4 (with 0: -2)
    merged = GreedySoup().merge(model(9.0), models, nearness_to(0.5))

    assert_close(merged, model(0.0))


def test_greedy_soup_takes_a_model_that_makes_it_better() -> None:
    models = [model(2.0), model(0.0), model(-9.0)]

    merged = GreedySoup().merge(model(9.0), models, nearness_to(1.1))

    assert_close(merged, model(1.0))


def test_greedy_soup_names_every_candidate() -> None:
    tried = Tried()

    GreedySoup().merge(model(9.0), [model(1.0), model(2.0), model(2.0)], tried)

    assert tried == ["model 1", "model 2", "model 3", "soup of 2 + 3", "soup of 2 + 3 + 1"]


@given(
    st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=5),
    st.floats(-8, 8, width=32),
)
def test_greedy_soup_is_never_below_its_best_model(values: list[float], target: float) -> None:
    models, score = [model(value) for value in values], nearness_to(target)

    merged = GreedySoup().merge(model(0.0), models, score)

    assert score(merged, "") >= max(score(each, "") for each in models)


def test_model_stock_of_perpendicular_changes_is_the_start() -> None:
    start = model(1.0, 1.0)

    merged = ModelStockMerge().merge(start, [model(3.0, 1.0), model(1.0, 5.0)], unused)

    assert_close(merged, start)


def test_model_stock_follows_the_angle_between_two_changes() -> None:
    models = [model(2.0, 0.0), model(1.0, 3**0.5)]  # 60 degrees: t = 2 * 0.5 / (1 + 0.5)

    merged = ModelStockMerge().merge(model(0.0, 0.0), models, unused)

    assert_close(merged, model(2 / 3 * 1.5, 2 / 3 * 3**0.5 / 2))


def test_model_stock_of_three_takes_the_mean_cosine_of_all_pairs() -> None:
    models = [model(1.0, 0.0), model(1.0, 0.0), model(0.0, 1.0)]  # cosines 1, 0, 0
    ratio = 3 * (1 / 3) / (1 + 2 * (1 / 3))

    merged = ModelStockMerge().merge(model(0.0, 0.0), models, unused)

    assert_close(merged, model(ratio * 2 / 3, ratio / 3))


def test_model_stock_goes_by_each_tensor_alone() -> None:
    start = {"a": torch.zeros(2), "b": torch.zeros(2)}
    one = {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([1.0, 0.0])}
    other = {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([0.0, 1.0])}

    merged = ModelStockMerge().merge(start, [one, other], unused)

    assert_close(merged, {"a": torch.tensor([1.0, 0.0]), "b": torch.zeros(2)})


def test_model_stock_treats_opposite_changes_as_perpendicular() -> None:
    merged = ModelStockMerge().merge(model(0.5), [model(4.0), model(-1.0)], unused)

    assert_close(merged, model(0.5))


def test_layer_wise_share_grows_evenly_with_depth() -> None:
    names = ["cls_token", "blocks.0.w", "blocks.1.w", "blocks.2.w", "norm.w", "head.w"]
    start = {name: torch.zeros(1) for name in names}
    end = {name: torch.ones(1) for name in names}

    merged = LayerWiseMerge(shallow=0.2, deep=1.0).merge(start, [end], unused)

    assert [round(float(merged[name]), 5) for name in names] == [0.2, 0.4, 0.6, 0.8, 1.0, 1.0]


def test_layer_wise_with_equal_shares_is_an_average() -> None:
    start, end = {"blocks.0.w": torch.zeros(2)}, {"blocks.0.w": torch.ones(2)}

    merged = LayerWiseMerge(shallow=0.25, deep=0.25).merge(start, [end], unused)

    assert_close(merged["blocks.0.w"], torch.full((2,), 0.25))


def test_depth_of_the_layers_of_a_clip_tower() -> None:
    found = depths(
        ["visual.conv1.weight", "visual.transformer.resblocks.0.ln_1.weight", "visual.ln_post.bias",
         "visual.proj", "head.weight"]
    )  # fmt: skip

    assert list(found.values()) == [0.0, 0.5, 1.0, 1.0, 1.0]


class Counted(dict[str, Tensor]):
    """Hold weights that can be referred to weakly."""


class FromDisk(Sequence[Weights]):
    """Make a new model at each access, and remember how many were alive at once."""

    def __init__(self, count: int) -> None:
        self.count, self.alive, self.most = count, 0, 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index):
        made = Counted(w=torch.full((2,), float(range(self.count)[index])))
        self.alive += 1
        weakref.finalize(made, self._gone)
        self.most = max(self.most, self.alive)
        return made

    def _gone(self) -> None:
        self.alive -= 1


@pytest.mark.parametrize(
    "merge", [WiseMerge(), LayerWiseMerge(), UniformSoup(), GreedySoup(), ModelStockMerge()]
)
def test_many_models_need_the_memory_of_two(merge: cfft.Merge) -> None:
    tuned = FromDisk(6)

    merge.merge(model(0.0, 0.0), tuned, nearness_to(2.0))

    assert tuned.most <= 2
