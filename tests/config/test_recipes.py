"""The recipes that cfft brings: each makes a run, alone and on any image set and model."""

from __future__ import annotations

from typing import Any

import pytest

from cfft.config.keywords import Keywords
from cfft.config.layers import recipe_names
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.plugin.registry import Registry

REGISTRY = Registry.installed()


def made(**keywords: Any) -> RunConfig:
    return resolve(REGISTRY, Keywords(REGISTRY).layers(keywords))


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_makes_a_run_on_the_built_in_images(name: str) -> None:
    config = made(recipe=name)

    assert (config.suite.name, config.model.name) == ("shapes", "cfft-mini")


@pytest.mark.parametrize("name", [name for name in recipe_names() if name != "embedded"])
def test_every_recipe_makes_a_run_on_images_and_a_model_of_ones_own(name: str) -> None:
    config = made(recipe=name, suite="folder", data="images", model="ViT-B-32", pretrained="openai")

    assert (config.suite.name, config.model.name) == ("folder", "ViT-B-32")
    assert all(stage.config.model == config.model for stage in config.stages)


@pytest.mark.parametrize("name", ["wise-kd", "no-masking", "wise-ours"])
def test_a_recipe_leaves_the_weight_of_the_feature_loss_to_the_images(name: str) -> None:
    own = made(recipe=name, suite="folder", data="images", model="ViT-B-32", pretrained="openai")

    features = [made(recipe=name).losses[0].strategy, own.losses[0].strategy]
    assert [(each.scale, each.weight) for each in features] == [("relative", 2), ("raw", 30)]


@pytest.mark.parametrize(
    ("name", "stages", "merged"),
    [
        ("wise-kd", ["vanilla"], []),
        ("wise-kd-vanilla", ["vanilla"], []),
        ("uniform-soup", ["second", "third"], ["second", "third"]),
        ("model-stock", ["second"], ["second"]),
    ],
)
def test_staged_recipes_train_what_they_need(
    name: str, stages: list[str], merged: list[str]
) -> None:
    config = made(recipe=name, seed=5)

    assert [stage.name for stage in config.stages] == stages
    assert [stage.name for stage in config.stages if stage.merged] == merged
    assert {stage.config.images_seed for stage in config.stages} == {5}


def test_members_of_a_soup_differ_in_their_draws_and_share_their_images() -> None:
    config = made(recipe="uniform-soup", seed=5)

    assert [config.seed, *(stage.config.seed for stage in config.stages)] == [5, 6, 7]
