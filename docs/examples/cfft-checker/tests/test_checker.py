import subprocess
import sys

import pytest
import torch
from cfft_checker import CheckerMask
from PIL import Image

import cfft
from cfft.testing import FixedView, check_strategy


def test_the_mask_keeps_the_rules_of_its_kind():
    check_strategy(CheckerMask, {"period": 3})


def test_every_second_patch_is_hidden_and_rows_are_shifted():
    batch = cfft.Batch(torch.zeros(2, 3, 4, 6), torch.tensor([0, 1]))

    hidden = CheckerMask(period=2).select(batch, FixedView(torch.zeros(2, 2, 3))).hidden

    board = [[True, False, True], [False, True, False]]
    assert hidden.tolist() == [board, board]


@pytest.fixture
def pictures(tmp_path):
    """Lay out ten pictures of two classes as the suite `folder` expects them."""
    for number in range(10):
        path = tmp_path / "train" / f"class-{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32)).save(path)
    return tmp_path


def test_a_run_can_be_composed_with_the_mask(pictures):
    model = "--model timm:vit_tiny_patch16_224 --batch-size 2 --dry-run"
    mask = "--mask checker --mask.checker.period 3"
    run = [*f"-m cfft run --suite folder {model} {mask} --data".split(), pictures]

    done = subprocess.run([sys.executable, *run], capture_output=True, text=True)

    assert (done.returncode, done.stderr.count("error")) == (0, 0)
    assert "checker" in done.stdout
