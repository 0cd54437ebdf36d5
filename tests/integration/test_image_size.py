"""Images of another size, from the plan to merged and measured models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import cfft
from cfft.model import checkpoint
from cfft.model.checkpoint import Checkpoint
from cfft.model.description import describe
from cfft.runtime.json_files import as_json
from cfft_backbones import OpenClipBackbone

Command = Callable[..., Any]
Evaluate = Callable[..., dict[str, Any]]
WriteClip = Callable[[Mapping[str, Any], Path], tuple[Path, Path]]
SQUARE: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "layers": 2, "head_width": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}


@pytest.fixture
def square(write_clip: WriteClip, tmp_path: Path) -> tuple[str, str]:
    """Write a tiny CLIP of 2x2 patches; return the paths of its config and weights."""
    config, weights = write_clip(SQUARE, tmp_path)
    return str(config), str(weights)


@pytest.fixture
def words(world: Path, square: tuple[str, str]) -> list[str]:
    return [
        *("run", "--suite", "domains", "--data", str(world), "--id", "sunny"),
        *("--model", square[0], "--pretrained", square[1], "--prompts", "class-name"),
        *("--epochs", "1", "--batch-size", "8", "--workers", "0"),
    ]


def test_the_plan_says_that_positional_embeddings_are_interpolated(
    cfft_command: Command, words: list[str]
) -> None:
    ended = cfft_command(*words, "--image-size", "24", "--dry-run")

    told = "24 x 24 pixels; positional embeddings interpolated from 2x2 to 3x3"
    assert told in " ".join(ended.out.split())


def test_a_plan_of_the_usual_size_says_nothing_of_it(
    cfft_command: Command, words: list[str]
) -> None:
    ended = cfft_command(*words, "--dry-run")

    assert "16 x 16 pixels" in ended.out
    assert "interpolated" not in ended.out


def test_a_file_says_the_size_as_the_option_does(
    cfft_command: Command, words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "size.toml").write_text("[backbone.open_clip]\nimage_size = 24\n")

    option = cfft_command(*words, "--image-size", "24", "--dry-run", "--json")
    file = cfft_command(*words, "--config", str(tmp_path / "size.toml"), "--dry-run", "--json")

    assert json.loads(option.out)["config"]["backbone"]["image_size"] == 24
    assert json.loads(file.out) == json.loads(option.out)


@pytest.mark.parametrize(
    ("size", "line"),
    [
        ("20", "--image-size 20 is no multiple of 8, the patch size of '{}': give 16 or 24"),
        ("0", "backbone.open_clip.image_size: got '0', allowed: a whole number >= 1, or none"),
    ],
)
def test_a_size_that_cannot_be_is_refused_in_one_line(
    cfft_command: Command, words: list[str], square: tuple[str, str], size: str, line: str
) -> None:
    ended = cfft_command(*words, "--image-size", size)

    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert line.format(square[0]) in ended.err


def test_a_run_of_another_size_is_measured_again_as_it_measured_itself(
    cfft_command: Command, words: list[str], evaluate: Evaluate, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    ended = cfft_command(
        *words, "--image-size", "32", "--mask", "object", "--fill", "single", "--threshold", "0.5",
        "--out", str(run), "--json",
    )  # fmt: skip
    results = json.loads(ended.out)

    record = evaluate("zero-shot", run)

    assert [_top1(model) for model in record["models"]] == [
        _top1(results["before"]),
        _top1(results),
    ]
    assert [model["facts"]["image"] for model in record["models"]] == ["32x32", "32x32"]


def test_runs_of_different_sizes_do_not_share_the_model_before(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    other = shutil.copytree(runs / "seed0", tmp_path / "other")
    config = (other / "config.toml").read_text()
    table = 'use = "open_clip"\n'
    (other / "config.toml").write_text(
        config.replace(table, f"{table}image_size = 24\n").replace('image_size = "none"\n', "")
    )

    ended = cfft_command("eval", "zero-shot", str(runs / "seed0"), str(other))

    assert ended.code == 2
    assert "the runs start from different models" in ended.err


def test_the_size_of_the_model_before_may_be_another_than_that_of_its_run(
    cfft_command: Command, words: list[str], evaluate: Evaluate, tmp_path: Path
) -> None:
    cfft_command(*words, "--epochs", "0", "--out", str(tmp_path / "run"))

    record = evaluate("zero-shot", tmp_path / "run", "--image-size", "24")

    assert [model["facts"]["image"] for model in record["models"]] == ["24x24", "16x16"]


def test_models_of_another_size_are_made_in_python(square: tuple[str, str]) -> None:
    model = cfft.starting_model(
        model=square[0], pretrained=square[1], classes=["cat", "dog"], image_size=24
    )

    assert model.classifier.encoder.grid == (3, 3)


def test_the_option_is_that_of_the_backbone_that_the_model_names(
    cfft_command: Command, words: list[str]
) -> None:
    model = ("--model", "timm:test_vit", "--pretrained", "random", "--image-size", "96")

    ended = cfft_command(*words, *model, "--dry-run", "--json")

    assert json.loads(ended.out)["config"]["backbone"] == {"use": "timm", "image_size": 96}


@pytest.fixture
def foreign(square: tuple[str, str], tmp_path: Path) -> str:
    """Write a model of 2x2 patches and its classifier as the WiSE-FT program does."""
    tower = {f"image_encoder.model.{k}": t for k, t in load_file(square[1]).items()}
    head = {"classification_head.weight": torch.eye(3, 8)}
    torch.save({"state_dict": {**tower, **head}}, tmp_path / "wise.pt")
    return str(tmp_path / "wise.pt")


@pytest.mark.parametrize("size", ["16", "24"])
def test_a_file_of_another_program_is_measured_at_the_size_that_is_asked_for(
    size: str, foreign: str, words: list[str], evaluate: Evaluate
) -> None:
    model = ("--backbone.open_clip.quick-gelu", "false", "--image-size", size)

    record = evaluate(foreign, *words[1:9], *model)

    assert record["models"][0]["facts"]["image"] == f"{size}x{size}"


def test_a_file_of_another_program_and_grid_hints_at_its_size(
    foreign: str, words: list[str], square: tuple[str, str], cfft_command: Command
) -> None:
    facts = {**SQUARE, "vision_cfg": {**SQUARE["vision_cfg"], "image_size": 24}}
    Path(square[0]).write_text(json.dumps(facts))

    ended = cfft_command("eval", foreign, *words[1:9], "--backbone.open_clip.quick-gelu", "false")

    assert ended.code == 2
    assert "give --image-size 16 to read such images, or --image-size 24 to interp" in ended.err


def _top1(model: Mapping[str, Any]) -> dict[str, float]:
    return {name: model["sets"][name]["top1"] for name in ("sunny", "dark")}


def _stored(square: tuple[str, str], size: int, place: Path) -> str:
    built = OpenClipBackbone(image_size=size).build(*square)
    head = cfft.Head(torch.ones(2, 8), torch.zeros(2), normalised=True)
    described = as_json(describe("open_clip", "tiny", built, ("cat", "dog"), "zero-shot"))
    weights = cfft.Classifier(built.encoder, head).weights()
    checkpoint.save(place, Checkpoint(weights, described))
    return str(place)


@pytest.mark.parametrize("alone", ["", "/weights.safetensors"])
def test_models_of_different_sizes_are_not_merged(
    alone: str, cfft_command: Command, square: tuple[str, str], tmp_path: Path
) -> None:
    small, large = (_stored(square, size, tmp_path / str(size)) + alone for size in (16, 24))

    ended = cfft_command("merge", "uniform-soup", small, large, "--out", str(tmp_path / "soup"))

    assert ended.code == 2
    assert ended.err == (
        f"error: {large} cannot be merged with {small}: image is 24x24, not 16x16\n"
    )


def test_models_of_one_other_size_are_merged(
    cfft_command: Command, square: tuple[str, str], tmp_path: Path
) -> None:
    first, second = (_stored(square, 24, tmp_path / name) for name in ("a", "b"))

    ended = cfft_command("merge", "uniform-soup", first, second, "--out", str(tmp_path / "soup"))

    merged = cfft.load(tmp_path / "soup")
    assert ended.code == 0
    assert merged.classifier.encoder.grid == (3, 3)
