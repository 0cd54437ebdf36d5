"""Stored models, loaded again: as they are, or with the classes of given images."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cfft.config.run_config import RunConfig
from cfft.errors import DataError, WeightsError
from cfft.evaluation.models.load import load, load_for_classes
from cfft.plugin.registry import Registry
from cfft.runtime.devices import make_accelerator
from cfft.runtime.progress import Silent
from cfft.scoring.loaded_model import LoadedModel

Open = Callable[..., LoadedModel]


@pytest.fixture
def opened(runs: Path, configure: Callable[..., RunConfig], registry: Registry) -> Open:
    """Return `opened(*classes)`: a run's model for images of these classes."""
    path, accelerator = runs / "seed0", make_accelerator("fp32")
    return lambda *classes: load_for_classes(
        path, configure(), classes, registry, accelerator, Silent()
    )


def test_outputs_follow_the_classes_of_the_images(opened: Open) -> None:
    images = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))

    same, other = opened("blue", "green", "red"), opened("red", "blue")

    assert other.description.classes == ("red", "blue")
    torch.testing.assert_close(
        other.classifier(images).logits, same.classifier(images).logits[:, [2, 0]]
    )


def test_classes_that_a_model_does_not_know_are_named(opened: Open) -> None:
    with pytest.raises(DataError, match=r"knows 3 classes .*1 of them unknown to it: 'cat'"):
        opened("blue", "cat")


@pytest.mark.parametrize(
    "place", ["", "checkpoints/last", "checkpoints/best", "checkpoints/best/weights.safetensors"]
)
def test_a_model_is_found_in_its_run_in_checkpoints_and_in_files_of_them(
    place: str, runs: Path
) -> None:
    model = load(runs / "seed0" / place)

    assert model.classes == ("blue", "green", "red")
    assert model.encoder.dim == model.head.weight.shape[1] == 8


def test_a_file_beside_its_description_is_enough(runs: Path, tmp_path: Path) -> None:
    for name in ("weights.safetensors", "model.json"):
        shutil.copy(runs / "seed0" / "checkpoints" / "best" / name, tmp_path)

    moved = load(str(tmp_path / "weights.safetensors"))

    images = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    expected = load(runs / "seed0").predict(images)
    assert torch.equal(moved.predict(images).probabilities, expected.probabilities)


def test_probabilities_are_those_of_the_command_predict(
    runs: Path, world: Path, cfft_command: Callable[..., Any]
) -> None:
    paths = sorted((world / "dark").rglob("*.png"))
    options = ("--format", "jsonl", "--workers", "0", "--precision", "fp32")
    ended = cfft_command("predict", str(runs / "seed0"), *map(str, paths), *options)
    rows = [json.loads(line) for line in ended.out.splitlines()]

    found = load(runs / "seed0").predict(paths)

    assert [row["path"] for row in rows] == [*map(str, paths)]
    assert list(found.labels) == [row["label"] for row in rows]
    assert found.probabilities.amax(dim=1).tolist() == [row["probability"] for row in rows]


def test_weights_without_a_description_are_refused_in_one_line(runs: Path, tmp_path: Path) -> None:
    shutil.copy(runs / "seed0" / "checkpoints" / "best" / "weights.safetensors", tmp_path)
    with pytest.raises(WeightsError, match=r"^[^\n]*\(no model\.json beside it\)[^\n]*$"):
        load(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_place_without_weights_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=rf"^[^\n]*{name}: no weights here; give a run[^\n]*$"):
        load(tmp_path / name)
