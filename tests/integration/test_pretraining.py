"""The script that pre-trains cfft-mini, on a few steps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cfft_backbones import OpenClipBackbone

ROOT = Path(__file__).parents[2]
TINY = [
    "--batch=8",
    "--objects=60",
    "--scenes=17",
    "--judged=24",
    "--judge-every=2",
    "--warm-up=1",
    "--ramp=2",
    "--decay=2",
    "--whole=1",
    "--processes=1",
    "--threads=1",
]

pytestmark = pytest.mark.slow


def pretrain(out: Path, steps: int) -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks.embedded.pretraining",
        f"--out={out}",
        f"--steps={steps}",
    ]
    subprocess.run([*command, *TINY], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold a run of four steps that was then asked for six."""
    folder = tmp_path_factory.mktemp("pretraining")
    pretrain(folder, steps=4)
    pretrain(folder, steps=6)
    return folder


def test_a_run_goes_on_from_its_last_checkpoint(out: Path) -> None:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]

    assert [line["step"] for line in lines] == [2, 4, 6]


def test_the_log_has_the_zero_shot_accuracy_of_every_set(out: Path) -> None:
    line = json.loads((out / "log.jsonl").read_text().splitlines()[0])

    assert {"val", "resample", "rendition", "sketch", "relocated", "adversarial"} < set(line)


def test_what_it_exports_loads_as_any_open_clip_model(out: Path) -> None:
    built = OpenClipBackbone().build(f"local-dir:{out / 'cfft-mini'}", None)

    features = built.encoder(torch.rand(2, 3, 64, 64))

    assert built.encoder.grid == (8, 8)
    assert features.shape == built.encode_text(["a photo of a key", "a fish"]).shape == (2, 64)
