"""`cfft eval` on real images, as a user starts it; CFFT_REALDATA names their folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.realdata,
    pytest.mark.skipif("CFFT_REALDATA" not in os.environ, reason="CFFT_REALDATA names no folder"),
]

WriteClip = Callable[[Mapping[str, Any], Path], tuple[Path, Path]]
VIT_TINY = "timm:vit_tiny_patch16_224"
ALONE = (sys.executable, "-m", "cfft")
ON_TWO = (
    *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"),  # on CPUs: gloo
    *("--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"),
    *("--mixed_precision", "no", "--dynamo_backend", "no", "-m", "cfft"),
)
CLIP = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 64,
        "patch_size": 16,
        "width": 64,
        "layers": 2,
        "head_width": 32,
    },
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture
def data() -> Path:
    return Path(os.environ["CFFT_REALDATA"])


@pytest.fixture
def clip(write_clip: WriteClip, tmp_path: Path) -> tuple[Path, Path]:
    """Write a small CLIP with random weights; return the paths of its config and weights."""
    return write_clip(CLIP, tmp_path)


@pytest.fixture
def permuted(data: Path, tmp_path: Path) -> Path:
    """Lay the sample out again, each folder of images under the name of the next class."""
    folders = sorted((data / "imagenet_sample").iterdir())
    (tmp_path / "permuted" / "val").mkdir(parents=True)
    for folder, other in zip(folders, [*folders[1:], folders[0]], strict=True):
        (tmp_path / "permuted" / "val" / other.name).symlink_to(folder)
    return tmp_path / "permuted"


@pytest.fixture
def imagenet(data: Path, tmp_path: Path) -> Path:
    """Lay the sample out as ImageNet's validation set."""
    (tmp_path / "imagenet").mkdir()
    (tmp_path / "imagenet" / "val").symlink_to(data / "imagenet_sample")
    return tmp_path / "imagenet"


def evaluate(out: Path, *words: object, launcher: tuple[str, ...] = ALONE) -> dict[str, Any]:
    """Evaluate in a process of its own; it must end with exit code 0."""
    command = [*launcher, "eval", *map(str, words), "--out", str(out)]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings, timeout=1200)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((out / "evaluation.json").read_text())
    return found


def own_head(data: Path, images: Path, out: Path) -> dict[str, Any]:
    """Measure the ViT-Ti with the classifier that came with it, and return its one set."""
    model = ("--model", VIT_TINY, "--pretrained", data / "vit_tiny_patch16_224.safetensors")
    words = (*model, "--head", "own", "--suite", "imagenet", "--data", images)
    (found,) = evaluate(out, "pretrained", *words)["models"]
    (measured,) = found["sets"].values()
    return measured


def test_a_models_own_head_is_as_good_on_imagenet_as_is_known(
    data: Path, imagenet: Path, tmp_path: Path
) -> None:
    found = own_head(data, imagenet, tmp_path / "EVAL")

    assert (found["n"], found["classes"]) == (200, 1000)
    assert (found["top1"], found["top5"]) == (0.805, 0.955)


def test_with_the_folders_names_permuted_it_is_near_chance(
    data: Path, permuted: Path, tmp_path: Path
) -> None:
    found = own_head(data, permuted, tmp_path / "EVAL")

    assert found["n"] == 200
    assert found["top1"] < 0.05


def test_two_processes_say_the_same_of_every_image_and_count_each_once(
    data: Path, clip: tuple[Path, Path], tmp_path: Path
) -> None:
    model = ("zero-shot", "--model", clip[0], "--pretrained", clip[1])
    words = (*model, "--suite", "domains", "--data", data / "pacs", "--id", "photo")

    one = evaluate(tmp_path / "one", *words)
    two = evaluate(tmp_path / "two", *words, launcher=ON_TWO)

    assert (one.pop("processes"), two.pop("processes")) == (1, 2)
    assert counts(one) == counts(two) == {"photo": 333, "art_painting": 2048}
    assert names(tmp_path / "one") == names(tmp_path / "two")
    np.testing.assert_allclose(logits(tmp_path / "one"), logits(tmp_path / "two"), atol=1e-5)
    assert one == two


def counts(record: dict[str, Any]) -> dict[str, int]:
    return {name: found["n"] for name, found in record["models"][0]["sets"].items()}


def stored(out: Path, array: str) -> list[np.ndarray]:
    folder = out / "predictions" / "zero-shot"
    return [np.load(folder / f"{name}.npz")[array] for name in ("photo", "art_painting")]


def names(out: Path) -> list[str]:
    return np.concatenate(stored(out, "names")).tolist()


def logits(out: Path) -> np.ndarray:
    return np.concatenate(stored(out, "logits"))
