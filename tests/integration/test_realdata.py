"""`cfft run` on real images, as a user starts it; CFFT_REALDATA names their folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.realdata,
    pytest.mark.skipif("CFFT_REALDATA" not in os.environ, reason="CFFT_REALDATA names no folder"),
]

WriteClip = Callable[[Mapping[str, Any], Path], tuple[Path, Path]]
CLIP = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 224,
        "patch_size": 32,
        "width": 64,
        "layers": 2,
        "head_width": 32,
    },
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
FILES = {
    "config.toml",
    "counterfactuals.png",
    "metrics.jsonl",
    "results.json",
    "checkpoints/best/manifest.json",
    "checkpoints/best/model.json",
    "checkpoints/best/weights.safetensors",
    "checkpoints/last/manifest.json",
    "checkpoints/last/model.json",
    "checkpoints/last/optimizer.safetensors",
    "checkpoints/last/state.json",
    "checkpoints/last/weights.safetensors",
    "predictions/art_painting.npz",
    "predictions/photo.npz",
    "predictions/before/art_painting.npz",
    "predictions/before/photo.npz",
}
ROLES = {"photo": "id", "art_painting": "ood"}


@pytest.fixture
def data() -> Path:
    return Path(os.environ["CFFT_REALDATA"])


@pytest.fixture
def clip(write_clip: WriteClip, tmp_path: Path) -> tuple[Path, Path]:
    """Write a small CLIP with random weights; return the paths of its config and weights."""
    return write_clip(CLIP, tmp_path)


def fine_tune(data: Path, model: str, weights: Path, limit: int, run: Path) -> None:
    """Fine-tune on photo in a process of its own; it must end with exit code 0."""
    words = [
        *("--suite", "domains", "--data", data / "pacs", "--id", "photo"),
        *("--model", model, "--pretrained", weights),
        *("--mask", "object", "--fill", "single", "--threshold", "0.5"),
        *("--epochs", "1", "--limit-train", str(limit), "--out", run),
    ]
    command = [sys.executable, "-m", "cfft", "run", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def files(run: Path) -> set[str]:
    return {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}


def roles(results: Mapping[str, Any]) -> dict[str, str]:
    return {name: found["role"] for name, found in results["sets"].items()}


def test_a_timm_model_is_measured_in_and_out_of_distribution_before_and_after(
    data: Path, tmp_path: Path
) -> None:
    run, weights = tmp_path / "RUN", data / "vit_tiny_patch16_224.safetensors"

    fine_tune(data, "timm:vit_tiny_patch16_224", weights, 256, run)

    results = json.loads((run / "results.json").read_text())
    assert files(run) == FILES
    assert (roles(results), roles(results["before"])) == (ROLES, ROLES)
    assert results["sets"]["photo"]["top1"] > 0.95
    assert results["before"]["sets"]["photo"]["top1"] > 0.95


def test_an_open_clip_model_starts_from_the_class_names(
    data: Path, clip: tuple[Path, Path], tmp_path: Path
) -> None:
    run, (config, weights) = tmp_path / "RUN", clip

    fine_tune(data, str(config), weights, 64, run)

    results = json.loads((run / "results.json").read_text())
    model = json.loads((run / "checkpoints" / "best" / "model.json").read_text())
    assert files(run) == FILES
    assert (roles(results), roles(results["before"])) == (ROLES, ROLES)
    assert model["head"] == "zero-shot"


def pets_by_breed(data: Path, folder: Path) -> Path:
    """Lay the pets out as a training set with a folder a breed, by links."""
    for image in (data / "pets" / "images").iterdir():
        breed = folder / "train" / image.stem.rpartition("_")[0]
        breed.mkdir(parents=True, exist_ok=True)
        (breed / image.name).symlink_to(image)
    return folder


def cfft(*words: object) -> str:
    """Run a command in a process of its own, which must end with exit code 0; return stdout."""
    command = [sys.executable, "-m", "cfft", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_masks_of_a_timm_model_are_measured_against_the_trimaps_of_pets(
    data: Path, tmp_path: Path
) -> None:
    pets, run = pets_by_breed(data, tmp_path / "pets"), tmp_path / "RUN"
    weights = data / "vit_tiny_patch16_224.safetensors"
    cfft(
        *("run", "--suite", "folder", "--data", pets, "--split", "50/25/25", "--epochs", "0"),
        *("--model", "timm:vit_tiny_patch16_224", "--pretrained", weights, "--out", run),
    )

    told = cfft(
        *("eval", "masks", run, "zero-shot", "--sets", "train", "--thresholds", "0.1,0.2,0.4"),
        *("--masks", data / "pets" / "trimaps", "--mask-format", "trimap", "--json"),
    )

    masks = json.loads(told)["masks"]
    of_run, before = masks[:3], masks[3:]
    rates = [record["image_masking_rate"] for record in of_run]
    assert [record["n"] for record in masks] == [18] * 6
    assert rates == sorted(rates, reverse=True)
    assert [record["iou"] for record in of_run] == pytest.approx([r["iou"] for r in before])
    assert all(r["iou"] > 1.5 * r["baselines"]["random_patches"]["iou"] for r in of_run)
    assert all(r["object_masking_rate"] > r["image_masking_rate"] for r in of_run)
