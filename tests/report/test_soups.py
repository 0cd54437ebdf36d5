"""Published accuracies of 72 fine-tuned models and two soups, from their files to the table."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("CFFT_REALDATA" not in os.environ, reason="CFFT_REALDATA is not set"),
]


@pytest.fixture
def words() -> list[str]:
    files = sorted(Path(os.environ["CFFT_REALDATA"], "soups").glob("*.jsonl"))
    return [word for path in files for word in ("--import", str(path))]


def test_the_soups_are_in_the_table_as_published(
    cfft_command: Callable[..., Any], words: list[str], tmp_path: Path
) -> None:
    cfft_command("report", *words, "--out", str(tmp_path / "out"))

    rows = csv.DictReader((tmp_path / "out" / "tables" / "results.csv").read_text().splitlines())
    soup = next(row for row in rows if row["model"] == "uniform_soup")
    assert {name: round(100 * float(soup[name]), 1) for name in list(soup)[1:]} == {
        "ImageNet": 80.0,
        "ImageNet2p": 82.7,
        "ImageNetV2": 68.5,
        "ImageNetR": 66.5,
        "ImageNetSketch": 47.7,
        "ObjectNet": 46.0,
        "ImageNetA": 29.2,
        "OOD average": 51.6,
    }


def test_the_soups_lie_above_the_line_of_the_72_models(
    cfft_command: Callable[..., Any], words: list[str]
) -> None:
    ended = cfft_command("report", *words, "--baseline-line", "model_*", "--json")

    data = json.loads(ended.out)
    soup = next(model for model in data["models"] if model["model"] == "uniform_soup")
    assert data["lines"]["ImageNetV2"]["models"] == 72
    assert data["lines"]["ImageNetV2"]["r2"] == pytest.approx(0.875, abs=0.001)
    assert soup["effective_robustness"]["OOD average"] == pytest.approx(0.0318, abs=0.0001)
