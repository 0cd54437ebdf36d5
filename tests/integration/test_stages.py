"""Runs with stages: trained in order, resumed anywhere, checked before the first one starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch.testing import assert_close

import cfft
from cfft.config.layers import Layer, read_defaults, read_file, read_recipe
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.config.stages import stage_tables
from cfft.errors import ConfigError
from cfft.model import checkpoint
from cfft.plugin.registry import Registry
from cfft.runtime.progress import Advance, Plan, Silent
from cfft.testing import tiny_classifier
from cfft.training.results import RunResults
from cfft.training.run import run
from cfft.training.run_directory import RunDirectory
from cfft.training.stages import merged_stages

MakeLayer = Callable[..., Layer]
VANILLA = {"name": "vanilla", "recipe": "vanilla", "merged": True}
RUNS = ("run", "unbroken")
NO_MASKING = {"name": "other", "recipe": "no-masking", "seed": 1}


class StopError(Exception):
    """Stand for whatever ends a process without a warning."""


class Watching(Silent):
    """Remember plans and notes, and end the run at one step of the run that is the n-th to start.

    Runs are counted by the plans that come after the first one, which is that of the whole.
    """

    def __init__(self, number: int = 0, step: int = 0) -> None:
        self.plans: list[Plan] = []
        self.notes: list[str] = []
        self.tasks: list[str] = []
        self.end = (number, step)

    def planned(self, plan: Plan) -> None:
        self.plans.append(plan)

    def noted(self, message: str) -> None:
        self.notes.append(message)

    def task(self, name: str, total: int) -> AbstractContextManager[Advance]:
        self.tasks.append(name)
        return super().task(name, total)

    def stepped(self, step: int, metrics: Mapping[str, float]) -> None:
        if (len(self.plans) - 1, step) == self.end:
            raise StopError


@pytest.fixture(scope="module")
def staged(make_layer: MakeLayer) -> Layer:
    """Say WiSE-KD on two stages, of 2 epochs of 3 steps each."""
    training = {"epochs": 2, "lr": 1e-3, "precision": "fp32", "log_every": 1}
    layer = make_layer(**training, checkpoint_every="1")
    layer.stages = stage_tables([VANILLA, NO_MASKING], "test")
    layer.choose("mask", ["random"])
    layer.choose("loss", ["feature-mse", "wise-kd"])
    layer.choose("teacher", ["clip", "wise"])
    layer.values["teacher", "wise"] = {"fine_tuned": "{stages}/vanilla"}
    return layer


@pytest.fixture(scope="module")
def config(staged: Layer, registry: Registry) -> RunConfig:
    return resolve(registry, [read_defaults(), staged])


@pytest.fixture(scope="module")
def unbroken(
    config: RunConfig, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("staged") / "unbroken"
    run(config, registry, out)
    return out


def weights(run: Path) -> dict[str, Any]:
    return dict(checkpoint.load_model(run / "checkpoints" / "last").weights)


@pytest.mark.slow
def test_stages_are_complete_runs_and_the_main_run_follows_their_models(
    staged: Layer, registry: Registry, unbroken: Path, tmp_path: Path
) -> None:
    vanilla, other = (unbroken / "stages" / name for name in ("vanilla", "other"))
    results = json.loads((vanilla / "results.json").read_text())
    assert results["config"]["loss"] == []
    assert (other / "results.json").is_file()
    own = {("teacher", "wise"): {"fine_tuned": str(vanilla)}}
    alone = attrs.evolve(staged, stages=None, values={**staged.values, **own})
    run(resolve(registry, [read_defaults(), alone]), registry, tmp_path / "by-hand")

    assert_close(weights(unbroken), weights(tmp_path / "by-hand"), rtol=0, atol=0)


@pytest.mark.slow
def test_a_stage_equals_the_run_that_its_own_configuration_makes(
    registry: Registry, unbroken: Path, tmp_path: Path
) -> None:
    stage = unbroken / "stages" / "other"
    alone = resolve(registry, [read_defaults(), read_file(stage / "config.toml")])

    run(alone, registry, tmp_path / "alone")

    assert_close(weights(tmp_path / "alone"), weights(stage), rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "step"),
    [
        pytest.param(1, 2, id="within the first stage"),
        pytest.param(2, 4, id="within the second stage"),
        pytest.param(3, 2, id="within the run itself"),
    ],
)
def test_a_run_that_ended_in_any_stage_goes_on_from_there(
    config: RunConfig,
    registry: Registry,
    unbroken: Path,
    tmp_path: Path,
    number: int,
    step: int,
) -> None:
    out = tmp_path / "broken"
    with pytest.raises(StopError):
        run(config, registry, out, reporter=Watching(number, step))
    watching = Watching()

    run(config, registry, out, resume=True, reporter=watching)

    finished = [note for note in watching.notes if note == "it is already finished"]
    assert len(finished) == number - 1
    for place in ("", "stages/vanilla", "stages/other"):
        assert_close(weights(out / place), weights(unbroken / place), rtol=0, atol=0)


def test_the_plan_lists_the_stages_and_images_are_decoded_once_for_each_split(
    config: RunConfig, registry: Registry, tmp_path: Path
) -> None:
    watching = Watching()

    plan = run(config, registry, tmp_path / "run", dry_run=True, reporter=watching)

    facts = {(group, name): value for group, name, value in watching.plans[0].facts}
    assert facts["stage 'vanilla'", "task"].startswith("cross-entropy")
    assert facts["stage 'other'", "seed"] == "1, images split by 0"
    assert facts["training", "seed"] == "0"
    assert [stage["name"] for stage in plan["stages"]] == ["vanilla", "other"]
    assert watching.tasks.count("checking images") == 1
    assert not (tmp_path / "run").exists()


def test_an_error_in_a_late_stage_is_found_before_the_first_one_starts(
    configure: Callable[..., RunConfig], layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    lacking = {"use": "checkpoint", "path": str(tmp_path / "nowhere")}
    loss = {"use": "logit-kl", "teacher": "checkpoint"}
    late = {"name": "late", "config": {"loss": [loss], "teacher": [lacking]}}
    layer.stages = stage_tables([VANILLA, late], "test")

    with pytest.raises(cfft.CfftError, match="nowhere"):
        run(configure(), registry, tmp_path / "run")

    assert not (tmp_path / "run").exists()


def test_a_run_without_resume_refuses_the_directory_of_an_interrupted_stage(
    config: RunConfig, registry: Registry, tmp_path: Path
) -> None:
    with pytest.raises(StopError):
        run(config, registry, tmp_path / "run", reporter=Watching(1, 1))

    with pytest.raises(ConfigError, match=r"is not empty.*--resume"):
        run(config, registry, tmp_path / "run")


def test_a_merge_takes_the_stages_that_are_marked(config: RunConfig, tmp_path: Path) -> None:
    found = merged_stages(config, RunDirectory(tmp_path))

    assert found == (tmp_path / "stages" / "vanilla" / "checkpoints" / "best",)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "number"),
    [("wise-kd", 2), ("wise-kd-vanilla", 2), ("uniform-soup", 2), ("model-stock", 1)],
)
def test_staged_recipes_run_to_the_end_and_go_on_between_stages(
    make_layer: MakeLayer, registry: Registry, tmp_path: Path, recipe: str, number: int
) -> None:
    training = make_layer(epochs=1, lr=1e-3, precision="fp32", log_every=1)
    config = resolve(registry, [read_defaults(), read_recipe(recipe), training])
    with pytest.raises(StopError):
        run(config, registry, tmp_path / "run", reporter=Watching(number, 1))

    found = run(config, registry, tmp_path / "run", resume=True)

    run(config, registry, tmp_path / "unbroken")
    best = [checkpoint.load_model(tmp_path / n / "checkpoints" / "best") for n in RUNS]
    assert_close(dict(best[0].weights), dict(best[1].weights), rtol=0, atol=0)
    assert isinstance(found, RunResults)
    assert (found.merge is not None) == (config.merge is not None)


@pytest.mark.slow
def test_a_uniform_soup_is_the_mean_of_the_run_and_its_stages(
    make_layer: MakeLayer, registry: Registry, tmp_path: Path
) -> None:
    training = make_layer(epochs=1, lr=1e-2, precision="fp32")
    config = resolve(registry, [read_defaults(), read_recipe("uniform-soup"), training])

    run(config, registry, tmp_path)

    directory = RunDirectory(tmp_path)
    members = [*(directory.stage(each.name).best for each in config.stages), directory.unmerged]
    heads = [checkpoint.load_model(each).weights["head.weight"] for each in members]
    merged = checkpoint.load_model(directory.best).weights["head.weight"]
    assert_close(merged, torch.stack(heads).mean(dim=0))
    assert not torch.equal(heads[0], heads[1])


def test_an_own_loop_has_no_stages(tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    config.write_text('loss = []\n[[stage]]\nname = "a"\nrecipe = "vanilla"\n')

    with pytest.raises(ConfigError, match=r"has stages \(a\), which cfft.run trains first"):
        cfft.training_step(tiny_classifier(), config=config)
