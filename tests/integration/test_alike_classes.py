"""Classes that are one to the text tower are named where they matter, and once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Command = Callable[..., Any]
LONG = "a very old and very rare kind of bird that nobody has seen in a hundred years, the"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Draw images/train/CLASS/*.png with classes whose names a text tower takes for one."""
    rng = np.random.default_rng(0)
    for name in ("fire_truck", "fire truck", f"{LONG} red one", f"{LONG} blue one"):
        folder = tmp_path / "images" / "train" / name
        folder.mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "images"


@pytest.fixture
def words(images: Path, clip: tuple[Path, Path]) -> list[str]:
    config, weights = map(str, clip)
    return [
        *("--suite", "folder", "--data", str(images), "--split", "50/25/25"),
        *("--model", config, "--pretrained", weights, "--prompts", "class-name"),
    ]


def test_a_run_warns_of_names_in_its_plan_and_of_all_others_once_the_head_is_made(
    cfft_command: Command, words: list[str], tmp_path: Path
) -> None:
    rest = ("--epochs", "0", "--batch-size", "8", "--workers", "0", "--out", str(tmp_path / "RUN"))

    plan = cfft_command("run", *words, "--dry-run")
    ended = cfft_command("run", *words, *rest)

    said = " ".join(ended.err.split())
    assert (plan.code, ended.code) == (0, 0)
    assert "'fire truck', 'fire_truck' are one to a text tower" in " ".join(plan.err.split())
    assert said.count("'fire truck', 'fire_truck'") == 1
    assert f"the text tower reads these classes as one: '{LONG} blue one', '{LONG} red one'" in said


def test_an_evaluation_warns_of_all_of_them(
    cfft_command: Command, words: list[str], tmp_path: Path
) -> None:
    ended = cfft_command("eval", "zero-shot", *words, "--out", str(tmp_path / "EVAL"))

    said = " ".join(ended.err.split())
    assert "reads these classes as one: 'a very old" in said
    assert "red one'; 'fire truck', 'fire_truck'; the zero-shot head" in said


def test_a_head_that_is_not_made_of_prompts_has_no_such_classes(
    cfft_command: Command, words: list[str]
) -> None:
    plan = cfft_command("run", *words, "--head", "linear-probe", "--dry-run", "--json")

    assert not [line for line in json.loads(plan.out)["warnings"] if "text tower" in line]


def test_verify_tells_of_names_alone(cfft_command: Command, images: Path) -> None:
    ended = cfft_command("data", "verify", "folder", str(images), "--json")

    (problem,) = json.loads(ended.out)["problems"]
    assert ended.code == 2
    assert problem.startswith("classes 'fire truck', 'fire_truck' are one to a text tower")
