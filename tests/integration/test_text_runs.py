"""Runs that train a text tower or look at one, from the start to `cfft eval`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch.testing import assert_close

import cfft
from cfft.config.layers import Layer, read_defaults, read_recipe
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError
from cfft.model import checkpoint
from cfft.model.heads import prompts_head
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import as_json
from cfft.runtime.progress import Silent
from cfft.testing import tiny_classifier
from cfft.training.run import run


class StopError(Exception):
    """Stand for whatever ends a process without a warning."""


class Stopping(Silent):
    """End the run at an optimiser step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def stepped(self, step: int, metrics: Any) -> None:
        if step == self.step:
            raise StopError


@pytest.fixture
def contrastive(configure: Callable[..., RunConfig], layer: Layer) -> Callable[..., RunConfig]:
    """Configure the task in two templates, 2 epochs of 3 steps, a checkpoint at every step."""
    layer.choose("task", ["contrastive"])
    layer.choose("loss", [])
    layer.settings["model"]["prompts"] = "simple"
    return lambda **training: configure(
        micro_batch=4, log_every=1, checkpoint_every="1", **training
    )


def tensors(directory: Path, kind: str) -> dict[str, torch.Tensor]:
    stored = checkpoint.load(directory / "checkpoints" / kind)
    return {**stored.weights, **stored.trained}


def losses(directory: Path) -> list[float]:
    lines = map(json.loads, (directory / "metrics.jsonl").read_text().splitlines())
    return [line["contrastive"] for line in lines if "contrastive" in line]


def test_the_contrastive_task_trains_both_towers_and_makes_the_head(
    contrastive, registry: Registry, clip: tuple[Path, Path], tmp_path: Path
) -> None:
    run(contrastive(), registry, tmp_path / "run")

    stored = checkpoint.load(tmp_path / "run" / "checkpoints" / "last")
    started = cfft.read_weights(clip[1]).tensors
    projection = stored.trained["text.text.text_projection"]
    assert not torch.equal(projection, started["text_projection"])
    assert not torch.equal(stored.trained["text.logit_scale"], started["logit_scale"])
    assert not torch.equal(stored.weights["visual.proj"], started["visual.proj"])
    lengths = stored.weights["head.weight"].norm(dim=1)
    assert_close(lengths, stored.trained["text.logit_scale"].exp().expand(3))
    assert stored.weights["head.bias"].tolist() == [0.0, 0.0, 0.0]


def test_the_best_weights_are_plain_and_evaluate_as_the_run_did(
    contrastive, registry: Registry, evaluate, tmp_path: Path
) -> None:
    results = as_json(run(contrastive(lr=1e-2), registry, tmp_path / "run"))

    best = checkpoint.load(tmp_path / "run" / "checkpoints" / "best")
    assert (best.trained, best.optimizer) == ({}, None)
    (measured,) = evaluate(tmp_path / "run")["models"]
    assert {name: each["top1"] for name, each in measured["sets"].items()} == {
        name: each["top1"] for name, each in results["sets"].items()
    }


def test_the_head_is_made_once_an_epoch(
    contrastive, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Mock(wraps=prompts_head)
    monkeypatch.setattr("cfft.training.trainer.prompts_head", made)

    run(contrastive(epochs=2), registry, tmp_path / "run")

    assert made.call_count == 2


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("loss", "values", "prompts", "problem"),
    [
        ("orthogonality", {"matrix": "nothing"}, "simple", "unknown matrix 'nothing'"),
        ("car-ft", {}, None, "compares prompt templates with each other"),
    ],
)
def test_a_loss_that_cannot_be_measured_stops_the_run_before_anything_is_written(
    configure, layer: Layer, registry: Registry, tmp_path: Path,
    loss: str, values: dict[str, str], prompts: str | None, problem: str, dry_run: bool,
) -> None:  # fmt: skip
    single = tmp_path / "single.txt"
    single.write_text("a photo of a {}.\n")
    layer.choose("loss", [loss])
    layer.values["loss", loss] = values
    layer.settings["model"]["prompts"] = prompts or str(single)

    with pytest.raises(ConfigError, match=problem):
        run(configure(), registry, tmp_path / "run", dry_run=dry_run)

    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("average", [None, "ema"])
def test_a_run_stopped_in_the_middle_of_an_epoch_ends_as_if_it_had_not_been(
    contrastive, layer: Layer, registry: Registry, tmp_path: Path, average: str | None
) -> None:
    layer.choose("average", [average or "none"])
    config = contrastive(epochs=2)
    run(config, registry, tmp_path / "unbroken")
    with pytest.raises(StopError):
        run(config, registry, tmp_path / "stopped", reporter=Stopping(step=5))

    run(config, registry, tmp_path / "stopped", resume=True)

    stopped, unbroken = (tmp_path / name for name in ("stopped", "unbroken"))
    assert_close(tensors(stopped, "last"), tensors(unbroken, "last"), rtol=0, atol=0)
    assert_close(tensors(stopped, "best"), tensors(unbroken, "best"), rtol=0, atol=0)
    assert losses(stopped) == losses(unbroken)


def test_the_head_of_an_average_is_made_by_the_averaged_tower(
    contrastive, layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    layer.choose("average", ["ema"])
    layer.values["average", "ema"] = {"decay": 0.5}

    run(contrastive(epochs=1, lr=1e-2), registry, tmp_path / "run")

    stored = checkpoint.load(tmp_path / "run" / "checkpoints" / "last").trained
    assert_close(
        stored["average.head.weight"].norm(dim=1),
        stored["averaged-text.logit_scale"].exp().expand(3),
    )
    assert not torch.equal(stored["averaged-text.logit_scale"], stored["text.logit_scale"])


def test_a_teacher_that_follows_the_average_gives_carots_self_distillation(
    contrastive, layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    layer.choose("teacher", ["average"])
    layer.choose("loss", ["similarity-kd", "orthogonality"])
    layer.choose("average", ["ema"])
    layer.values["average", "ema"] = {"kept": False}

    run(contrastive(epochs=1, lr=1e-2), registry, tmp_path / "run")

    lines = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    terms = [line["similarity-kd"] for line in lines if "similarity-kd" in line]
    assert terms[0] == pytest.approx(0, abs=1e-5)  # before the first step both are the same
    assert min(terms[1:]) > 0


@pytest.mark.parametrize("loss", ["car-ft", "lipsum-ft", "text-similarity"])
def test_losses_with_a_frozen_text_tower_train_the_image_tower_alone(
    configure, layer: Layer, registry: Registry, tmp_path: Path, loss: str
) -> None:
    layer.choose("loss", [loss])
    layer.settings["model"]["prompts"] = "simple"

    results = run(configure(epochs=1), registry, tmp_path / "run")

    assert results.epochs == 1
    assert checkpoint.load(tmp_path / "run" / "checkpoints" / "last").trained == {}


@pytest.mark.parametrize(
    ("recipe", "terms"),
    [
        ("flyp", ["contrastive"]),
        ("car-ft", ["cross-entropy", "car-ft"]),
        ("lipsum-ft", ["cross-entropy", "lipsum-ft"]),
        ("carot", ["contrastive", "orthogonality", "similarity-kd"]),
    ],
)
def test_the_recipes_with_text_are_complete(
    layer: Layer, registry: Registry, tmp_path: Path, recipe: str, terms: list[str]
) -> None:
    layer.settings["model"]["prompts"] = "simple"
    config = resolve(registry, [read_defaults(), read_recipe(recipe), layer])

    run(config, registry, tmp_path / "run", dry_run=True)

    assert [config.task.name, *(loss.name for loss in config.losses)] == terms


@pytest.mark.parametrize(
    ("kind", "name"), [("task", "contrastive"), ("loss", "car-ft"), ("loss", "lipsum-ft")]
)
def test_a_weight_file_without_a_text_tower_is_refused_before_training(
    configure, layer: Layer, registry: Registry, clip, tmp_path: Path, kind: str, name: str
) -> None:
    from safetensors.torch import save_file

    vision = {k: v for k, v in cfft.read_weights(clip[1]).tensors.items() if "visual." in k}
    save_file(vision, tmp_path / "vision.safetensors")
    layer.settings["model"]["pretrained"] = str(tmp_path / "vision.safetensors")
    layer.settings["model"]["head"] = "linear-probe"
    layer.choose("loss", [])
    layer.choose(kind, [name])

    with pytest.raises(ConfigError, match=rf"^{kind} '{name}' .*no text tower.* another --{kind}$"):
        run(configure(), registry, tmp_path / "run", dry_run=True)


def test_a_head_that_is_not_made_of_prompts_is_refused_with_the_contrastive_task(
    contrastive, layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    layer.settings["model"]["head"] = "linear-probe"

    with pytest.raises(ConfigError, match="'contrastive' makes the head of prompts: --head must"):
        run(contrastive(), registry, tmp_path / "run", dry_run=True)


def test_a_loss_that_reads_an_average_is_refused_in_a_run_without_one(
    contrastive, layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    layer.choose("loss", ["similarity-kd"])
    layer.values["loss", "similarity-kd"] = {"teacher": "clip"}

    with pytest.raises(ConfigError, match=r"'similarity-kd' reads an average.*--average ema"):
        run(contrastive(), registry, tmp_path / "run", dry_run=True)


@pytest.mark.parametrize(
    ("keywords", "who"),
    [
        ({"task": "contrastive", "loss": ()}, "task 'contrastive'"),
        ({"loss": "car-ft"}, "loss 'car-ft'"),
    ],
)
def test_training_step_refuses_what_reads_prompts(keywords: dict[str, Any], who: str) -> None:
    with pytest.raises(ConfigError, match=rf"{who} compares .* training_step cannot.*cfft\.run"):
        cfft.training_step(tiny_classifier(), **keywords)
