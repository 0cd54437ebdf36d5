"""Tables [[stage]]: what of a run's settings holds for the runs that it builds on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cfft.config.comparison import configuration_digest, same_run
from cfft.config.keywords import Keywords
from cfft.config.layers import parse_layer, read_defaults
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry

REGISTRY = Registry.installed()
KD = """
[[loss]]
use = "feature-mse"

[[loss]]
use = "wise-kd"

[[teacher]]
use = "wise"
fine_tuned = "{stages}/vanilla"

[[stage]]
name = "vanilla"
recipe = "vanilla"
"""
SOUP = """
loss = []

[training]
lr = 1e-3
epochs = 7

[[stage]]
name = "a"
seed = 1
merged = true
[stage.config]
loss = []
[stage.config.training]
lr = 2e-3
"""
EPOCHS = "[training]\nepochs = 3"


@pytest.fixture
def made(tmp_path: Path) -> Any:
    """Return `made(recipe, **keywords)`: the run that a recipe and options stand for."""

    def resolved(recipe: str, **keywords: Any) -> RunConfig:
        (tmp_path / "own.toml").write_text(recipe)
        given = {"recipe": str(tmp_path / "own.toml"), **keywords}
        return resolve(REGISTRY, Keywords(REGISTRY).layers(given))

    return resolved


def test_a_stage_has_its_own_method_and_the_main_runs_images_and_model(made: Any) -> None:
    config = made(KD, mask="random", ood_pictures=24)

    (stage,) = config.stages
    assert stage.config.losses == ()
    assert stage.config.mask is None
    assert stage.config.suite == config.suite
    assert stage.config.suite.strategy.ood_pictures == 24
    assert stage.config.model == config.model


def test_what_a_user_says_of_training_and_seed_holds_for_stages_as_well(made: Any) -> None:
    (stage,) = made(SOUP, epochs=3, lr=5e-4, seed=4).stages

    assert (stage.config.training.epochs, stage.config.training.lr) == (3, 5e-4)
    assert (stage.config.seed, stage.config.images_seed) == (5, 4)


def test_a_stage_stands_above_the_training_of_the_recipe_that_lists_it(made: Any) -> None:
    config = made(SOUP)

    (stage,) = config.stages
    assert (config.training.lr, stage.config.training.lr) == (1e-3, 2e-3)
    assert (config.training.epochs, stage.config.training.epochs) == (7, 7)


def test_what_a_user_says_of_the_method_holds_for_the_main_run_alone(made: Any) -> None:
    config = made(SOUP, average="ema", adaptation="head", decay=0.5, loss="feature-mse")

    (stage,) = config.stages
    assert config.average is not None
    assert stage.config.average is None
    assert stage.config.adaptation.name == "all"
    assert stage.config.losses == ()


@pytest.mark.parametrize("recipe", [KD, SOUP])
def test_the_written_configuration_makes_the_same_run_with_the_same_stages(
    made: Any, recipe: str
) -> None:
    config = made(recipe, seed=2, epochs=3)

    again = resolve(REGISTRY, [read_defaults(), parse_layer(config.to_toml(), "config.toml")])

    assert again.to_dict() == config.to_dict()
    assert same_run(config.to_dict(), again.to_dict())


@pytest.mark.parametrize("recipe", [KD, SOUP, SOUP + "[merge]\nuse = 'uniform-soup'\n"])
def test_the_recipe_given_again_above_the_written_configuration_changes_nothing(
    made: Any, recipe: str
) -> None:
    config = made(recipe, epochs=3)

    written = parse_layer(config.to_toml(), "config.toml")
    again = resolve(
        REGISTRY,
        [read_defaults(), written, parse_layer(recipe, "recipe"), parse_layer(EPOCHS, "options")],
    )

    assert same_run(config.to_dict(), again.to_dict())


def test_a_stages_own_configuration_makes_the_same_stage(made: Any) -> None:
    (stage,) = made(SOUP, seed=2).stages

    text = stage.config.to_toml()
    again = resolve(REGISTRY, [read_defaults(), parse_layer(text, "config.toml")])

    assert again.to_dict() == stage.config.to_dict()


def test_runs_with_stages_that_differ_in_the_seed_alone_are_one_configuration(made: Any) -> None:
    one, other, longer = (made(SOUP, **k).to_dict() for k in ({}, {"seed": 3}, {"epochs": 9}))

    assert configuration_digest(one) == configuration_digest(other)
    assert configuration_digest(one) != configuration_digest(longer)


def test_a_path_in_a_stage_keeps_its_place_holder(made: Any) -> None:
    teachers = {teacher["use"]: teacher for teacher in made(KD).to_dict()["teacher"]}

    assert teachers["wise"]["fine_tuned"] == "{stages}/vanilla"


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (KD.replace("}/vanilla", "}/vanila"), "unknown stage 'vanila'; did you mean 'vanilla'?"),
        (KD.replace('recipe = "vanilla"', 'recipe = "vanila"'), "stage 'vanilla': unknown recipe"),
        (SOUP + '[stage.config.task]\nuse = "crss"', "stage 'a': .*unknown task 'crss'"),
        (SOUP + "lrr = 1", "stage 'a': .*unknown parameter 'lrr'"),
        (SOUP + '[stage.config.suite]\nuse = "folder"\ndata = "x"', "stage 'a': it has other imag"),
        (SOUP + '[stage.config.model]\nname = "ViT-B-32"', "stage 'a': it starts from another mod"),
        (SOUP + '[[stage.config.stage]]\nname = "b"\nrecipe = "lp"', "has stages itself"),
        (SOUP + '[[stage]]\nname = "A"\nrecipe = "lp"', "two .* are called 'A'"),
        ("[[stage]]\nrecipe = 'lp'", r'every \[\[stage\]\] needs name = "NAME"'),
        ("[[stage]]\nname = 'a/b'\nrecipe = 'lp'", r"every \[\[stage\]\] needs name"),
        ("[[stage]]\nname = 'a'", "stage 'a' needs recipe"),
        ("[[stage]]\nname = 'a'\nrecipes = 'lp'", "unknown key 'recipes'; did you mean 'recipe'"),
        ("[[stage]]\nname = 'a'\nrecipe = 'lp'\nseed = -1", "seed: got -1, allowed: a whole num"),
        ("[[stage]]\nname = 'a'\nrecipe = 'lp'\nmerged = 1", "merged: got 1, allowed: true or"),
        ("stage = 'lp'", r"'stage' must be written as \[\[stage\]\]"),
    ],
)
def test_a_stage_that_cannot_be_is_named(made: Any, recipe: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        made(recipe)


def test_a_stage_may_build_on_those_before_it_only(made: Any) -> None:
    first = '[[stage]]\nname = "kd"\n[stage.config]\nteacher = [{ use = "wise", '
    first += 'fine_tuned = "{stages}/vanilla" }]\nloss = [{ use = "wise-kd" }]\n'
    last = '[[stage]]\nname = "vanilla"\nrecipe = "vanilla"\n'

    assert len(made(last + first).stages) == 2
    with pytest.raises(ConfigError, match=r"stage 'kd': .*unknown stage 'vanilla'"):
        made(first + last)
