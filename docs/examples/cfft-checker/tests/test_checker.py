import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from cfft_checker import CheckerMask
from PIL import Image

import cfft
from cfft.testing import FixedView, check_strategy

CLIP = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 16, "layers": 2, "head_width": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}


def test_the_mask_keeps_the_rules_of_its_kind():
    check_strategy(CheckerMask, {"period": 3})


def test_every_second_patch_is_hidden_and_rows_are_shifted():
    batch = cfft.Batch(torch.zeros(2, 3, 4, 6), torch.tensor([0, 1]))

    hidden = CheckerMask(period=2).select(batch, FixedView(torch.zeros(2, 2, 3))).hidden

    board = [[True, False, True], [False, True, False]]
    assert hidden.tolist() == [board, board]


@pytest.fixture
def images(tmp_path):
    """Draw ten images of two classes as the suite `folder` expects them."""
    rng = np.random.default_rng(0)
    for number in range(10):
        path = tmp_path / "train" / f"class-{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(path)
    return tmp_path


@pytest.fixture
def model(tmp_path):
    """Write the open_clip config of a tiny CLIP."""
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(CLIP))
    return path


def test_a_model_is_fine_tuned_with_the_mask(images, model, tmp_path):
    run = ["--suite", "folder", "--data", images, "--epochs", "1", "--out", tmp_path / "RUN"]
    start = ["--model", model, "--pretrained", "random", "--workers", "0"]
    mask = ["--mask", "checker", "--mask.checker.period", "3"]
    command = [sys.executable, "-m", "cfft", "run", *run, *start, *mask]

    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "RUN" / "results.json").read_text())
    assert results["config"]["mask"] == {"use": "checker", "period": 3}
    assert (results["epochs"], list(results["sets"])) == (1, ["test"])
