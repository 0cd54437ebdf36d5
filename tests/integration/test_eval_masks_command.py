"""`cfft eval masks`, as a user types it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Command = Callable[..., Any]


@pytest.fixture
def masks(world: Path, tmp_path: Path) -> Path:
    """Write segmentations of all images: the left half is the object."""
    values = np.zeros((20, 30), np.uint8)
    values[:, :15] = 1
    for image in world.rglob("*.png"):
        path = tmp_path / "masks" / image.relative_to(world)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)
    return tmp_path / "masks"


@pytest.fixture
def images(world: Path, clip: tuple[Path, Path]) -> list[str]:
    """Name images and model."""
    return [
        *("--suite", "domains", "--data", str(world), "--id", "sunny", "--workers", "0"),
        *("--model", str(clip[0]), "--pretrained", str(clip[1]), "--prompts", "class-name"),
    ]


def test_every_set_map_and_threshold_has_a_record(
    cfft_command: Command, images: list[str], masks: Path, tmp_path: Path
) -> None:
    ended = cfft_command(
        *("eval", "masks", "zero-shot", *images, "--masks", str(masks)),
        *("--sets", "train", "--sets", "test", "--sets", "dark", "--limit", "6"),
        *("--cam", "relevance", "--cam", "gradcam", "--thresholds", "0.3,0.6"),
        *("--cam.relevance.start-layer", "1", "--out", str(tmp_path / "out"), "--json"),
    )

    record = json.loads(ended.out)
    rows = [(row["set"], row["cam"], row["threshold"]) for row in record["masks"]]
    assert ended.code == 0, ended.err
    assert rows == [
        (name, cam, threshold)
        for name in ("sunny-train", "sunny", "dark")
        for cam in ("relevance", "gradcam")
        for threshold in (0.3, 0.6)
    ]
    own = {"of": "student", "teacher": "clip"}
    assert record["cams"] == [
        {"use": "relevance", **own, "start_layer": 1},
        {"use": "gradcam", **own},
    ]
    assert record["masks"][0]["n"] == 6
    assert record["masks"][0]["baselines"]["everything"]["iou"] == pytest.approx(0.5)
    assert json.loads((tmp_path / "out" / "masks.json").read_text()) == record


def test_a_table_is_printed_for_people(
    cfft_command: Command, images: list[str], masks: Path
) -> None:
    ended = cfft_command("eval", "masks", "zero-shot", *images, "--masks", str(masks))

    assert ended.code == 0, ended.err
    assert "zero-shot on sunny, map relevance, in percent" in ended.out
    assert "hiding everything gives an IoU of 50.0" in ended.out


def test_the_model_before_is_called_by_the_head_that_it_has(
    cfft_command: Command, images: list[str], masks: Path
) -> None:
    words = ("--head", "linear-probe", "--thresholds", "0.5", "--json")

    ended = cfft_command("eval", "masks", "zero-shot", *images, "--masks", str(masks), *words)

    (record,) = json.loads(ended.out)["masks"]
    assert record["model"] == "pre-trained (linear-probe)"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (["--mask", "random"], "mask 'random' has no threshold to vary: choose from context,"),
        (["--thresholds", "0.2,3"], "mask.object.threshold: got '3', allowed: a number from 0"),
        (["--threshold", "0.2"], "unknown option --threshold; did you mean --thresholds?"),
        (["--cam", "gradcm"], "unknown cam 'gradcm'; did you mean 'gradcam'?"),
        (["--sets", "bright"], "unknown set 'bright'"),
        (["--mask-format", "png"], "unknown --mask-format 'png'"),
        (["--masks", "nowhere"], "--masks nowhere: no such directory"),
        (["--limit", "0"], "--limit: got '0', allowed: a whole number >= 1"),
        (["--limit", "2"], "--limit 2: set 'sunny' has 3 classes"),
        (["--loss", "x"], "unknown option --loss"),
    ],
)
def test_what_cannot_be_measured_ends_with_one_line(
    cfft_command: Command, images: list[str], masks: Path, change: list[str], line: str
) -> None:
    ended = cfft_command("eval", "masks", "zero-shot", *images, "--masks", str(masks), *change)

    assert ended.code == 2
    assert line in ended.err


def measured(ended: Any) -> list[tuple[str, str]]:
    """Return model and set of each record."""
    assert ended.code == 0, ended.err
    return [(row["model"], row["set"]) for row in json.loads(ended.out)["masks"]]


def test_runs_of_several_seeds_are_measured_on_the_images_that_they_share(
    cfft_command: Command, runs: Path, masks: Path
) -> None:
    words = ("--masks", str(masks), "--thresholds", "0.5", "--json", "--sets", "dark")

    ended = cfft_command("eval", "masks", f"{runs}/seed*", *words)

    assert measured(ended) == [(f"{runs}/seed0", "dark"), (f"{runs}/seed1", "dark")]


def test_test_images_of_different_seeds_need_a_word_on_which_are_meant(
    cfft_command: Command, runs: Path, masks: Path
) -> None:
    words = (f"{runs}/seed*", "--masks", str(masks), "--thresholds", "0.5", "--json")

    refused = cfft_command("eval", "masks", *words)
    told = cfft_command("eval", "masks", *words, "--seed", "1")

    assert refused.code == 2
    assert (
        f"set 'sunny' has different images for different seeds ({runs}/seed0: 0, {runs}/seed1: 1): "
        "measure one run at a time, or choose the images with --seed"
    ) in refused.err
    assert measured(told) == [(f"{runs}/seed0", "sunny"), (f"{runs}/seed1", "sunny")]


@pytest.fixture
def elsewhere(runs: Path, world: Path, tmp_path: Path) -> Path:
    """Copy the run of seed 0, as if other images and another head had made it."""
    run = shutil.copytree(runs / "seed0", tmp_path / "elsewhere")
    text = (run / "config.toml").read_text().replace(str(world), str(tmp_path / "images"))
    (run / "config.toml").write_text(text.replace('head = "auto"', 'head = "zero-shot"'))
    return run


def test_runs_of_other_images_need_a_word_on_which_are_meant(
    cfft_command: Command, runs: Path, elsewhere: Path, world: Path, masks: Path
) -> None:
    words = (str(runs / "seed0"), str(elsewhere), "--masks", str(masks), "--thresholds", "0.5")

    refused = cfft_command("eval", "masks", *words)
    told = cfft_command("eval", "masks", *words, "--data", str(world), "--json")

    assert refused.code == 2
    assert (
        f"{runs}/seed0 and {elsewhere} used different suites (suite.data: {world} ->" in refused.err
    )
    assert "choose the images with --suite and --data" in refused.err
    assert len(measured(told)) == 2


def test_runs_that_start_differently_share_no_model_before(
    cfft_command: Command, runs: Path, elsewhere: Path, world: Path, masks: Path
) -> None:
    words = ("--data", str(world), "--masks", str(masks), "--thresholds", "0.5")

    ended = cfft_command("eval", "masks", "zero-shot", str(runs / "seed0"), str(elsewhere), *words)

    assert ended.code == 2
    assert (
        "used different models (model.head: auto -> zero-shot): choose the model before"
        in ended.err
    )


def test_images_are_those_of_the_first_run_wherever_it_stands(
    cfft_command: Command, runs: Path, masks: Path
) -> None:
    words = ("--masks", str(masks), "--thresholds", "0.5", "--json")
    checkpoint = runs / "seed1" / "checkpoints" / "last"

    ended = cfft_command("eval", "masks", str(checkpoint), str(runs / "seed0"), *words)

    assert [model for model, _ in measured(ended)] == [str(checkpoint), str(runs / "seed0")]


def test_results_that_exist_are_not_replaced(cfft_command: Command, tmp_path: Path) -> None:
    (tmp_path / "masks.json").write_text("mine")

    ended = cfft_command("eval", "masks", "zero-shot", "--out", str(tmp_path))

    assert (ended.code, (tmp_path / "masks.json").read_text()) == (2, "mine")
    assert "masks.json exists there: give another directory" in ended.err


def test_a_file_in_the_place_of_results_is_found_before_anything_is_measured(
    cfft_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("mine")

    ended = cfft_command("eval", "masks", "zero-shot", "--out", str(tmp_path / "out"))

    assert (ended.code, ended.out) == (2, "")
    assert (
        ended.err
        == f"error: --out {tmp_path / 'out'} is a file: give a directory that can be filled\n"
    )


def test_a_model_has_to_be_named(cfft_command: Command) -> None:
    ended = cfft_command("eval", "masks")

    assert ended.code == 2
    assert "no model to measure: give RUN directories or zero-shot" in ended.err
