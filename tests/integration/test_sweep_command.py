"""`cfft sweep` on a tiny CLIP and a tiny world, with runs in processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
pytestmark = pytest.mark.slow  # every run is a process that imports torch


@pytest.fixture
def file(world: Path, clip: tuple[Path, Path], tmp_path: Path) -> Path:
    path = tmp_path / "sweep.toml"
    path.write_text(f"""
        seeds = [0, 1]

        [config.suite]
        use = "domains"
        data = '{world}'
        id = "sunny"
        [config.model]
        name = '{clip[0]}'
        pretrained = '{clip[1]}'
        prompts = "class-name"
        [config.training]
        epochs = 1
        batch_size = 8
        workers = 0

        [[row]]
        name = "vanilla"
        recipe = "vanilla"

        [[row]]
        name = "object + single"
        search = {{ "mask.object.threshold" = [0.4, 0.6] }}
    """)
    return path


def test_a_sweep_searches_runs_every_seed_and_goes_on_where_it_stopped(
    cfft_command: Command, file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sweep"

    first = cfft_command("sweep", str(file), "--out", str(out), "--jobs", "2")
    written = {path: path.stat().st_mtime_ns for path in out.glob("*/*/results.json")}
    again = cfft_command("sweep", str(file), "--out", str(out), "--json")

    assert (first.code, again.code) == (0, 0)
    record = json.loads(again.out)
    assert [row["name"] for row in record["rows"]] == [
        *("before fine-tuning", "vanilla", "object + single")
    ]
    assert record["rows"][1]["sets"]["sunny"]["count"] == 2
    assert len(record["searched"]) == 2
    assert "chosen on validation for object + single: mask.object.threshold" in first.out
    assert written == {path: path.stat().st_mtime_ns for path in out.glob("*/*/results.json")}
    assert (
        (out / "table.md")
        .read_text()
        .startswith("| row | validation | sunny | dark | OOD average |")
    )


def test_a_row_that_varies_a_value_is_a_curve_in_files_and_tables(
    cfft_command: Command, file: Path, tmp_path: Path
) -> None:
    search = 'search = { "mask.object.threshold" = [0.4, 0.6] }'
    vary = 'vary = { "loss.feature-mse.weight" = [1, 4] }'
    file.write_text(file.read_text().replace(search, vary).replace("[0, 1]", "[0]"))
    out = tmp_path / "sweep"

    ended = cfft_command("sweep", str(file), "--out", str(out), "--jobs", "2")

    assert ended.code == 0
    assert len(list(out.glob("object-+-single/weight-*/seed-0/results.json"))) == 2
    rows = json.loads((out / "sweep.json").read_text())["rows"]
    assert [(row["name"], row["values"]) for row in rows[2:]] == [
        (f"object + single, weight {n}", {"loss.feature-mse.weight": n}) for n in (1, 4)
    ]
    found = json.loads((out / "frontier.json").read_text())
    assert [point["row"] for point in found["points"]] == ["vanilla", *2 * ["object + single"]]
    assert [level["point"] for level in found["levels"]] == [row["name"] for row in rows[2:]]
    assert "OOD average at equal ID accuracy" in ended.out
    assert (out / "table.md").read_text().count("| ---:") >= 3


def test_a_changed_sweep_does_not_mix_with_the_runs_of_the_old_one(
    cfft_command: Command, file: Path, tmp_path: Path
) -> None:
    file.write_text(file.read_text().split('[[row]]\n        name = "object')[0])
    out = tmp_path / "sweep"
    cfft_command("sweep", str(file), "--out", str(out), "--jobs", "2")
    file.write_text(file.read_text().replace("batch_size = 8", "batch_size = 4"))

    ended = cfft_command("sweep", str(file), "--out", str(out))

    assert ended.code == 2
    assert "training.batch_size: 8 -> 4" in ended.err
    assert "give another --out" in ended.err


@pytest.mark.parametrize("words", [[], ["--dry-run"]])
def test_a_sweep_goes_into_no_run(
    cfft_command: Command, file: Path, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").touch()

    ended = cfft_command("sweep", str(file), "--out", str(tmp_path / "run"), *words)

    assert ended.code == 2
    assert f"{tmp_path / 'run'} holds a run (config.toml)" in ended.err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.toml"]


def test_a_run_that_fails_says_what_it_said(
    cfft_command: Command, file: Path, world: Path, tmp_path: Path
) -> None:
    file.write_text(file.read_text().replace('id = "sunny"', 'id = "cloudy"'))

    ended = cfft_command("sweep", str(file), "--out", str(tmp_path / "sweep"))

    assert ended.code == 2
    assert "unknown domain 'cloudy'" in ended.err


def appears(folder: Path, pattern: str) -> bool:
    """Wait up to two minutes for a file."""
    for _ in range(1200):
        if any(folder.glob(pattern)):
            return True
        time.sleep(0.1)
    return False


def test_sigterm_ends_a_sweep_with_its_runs_which_can_go_on(file: Path, tmp_path: Path) -> None:
    file.write_text(file.read_text().replace("epochs = 1", "epochs = 100000"))
    out = tmp_path / "sweep"
    command = [sys.executable, "-m", "cfft", "sweep", str(file), "--out", str(out)]

    with subprocess.Popen(command, stderr=subprocess.PIPE) as sweep:
        trains = appears(out, "search/*/*/metrics.jsonl")
        sweep.send_signal(signal.SIGTERM)
        sweep.communicate(timeout=120)

    assert (trains, sweep.returncode) == (True, 143)
    assert len(list(out.glob("search/*/*/checkpoints/last/state.json"))) == 1
    assert "interrupted" in next(out.glob("logs/*.txt")).read_text()
