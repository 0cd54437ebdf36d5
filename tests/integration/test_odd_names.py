"""A run on folders whose names no terminal, figure or TOML file can hold as they are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Command = Callable[..., Any]
NAMES = {"blue": r"$x^$ \alpha", "green": "\x1b[31m\b\x0b", "red": os.fsdecode(b"caf\xe9")}


@pytest.fixture
def words(world: Path, clip: tuple[Path, Path], tmp_path: Path) -> list[str]:
    data = tmp_path / os.fsdecode(b"d\xe9$_\\")
    for domain in ("sunny", "dark"):
        for colour, name in NAMES.items():
            shutil.copytree(world / domain / colour, data / domain / name)
    config, weights = map(str, clip)
    return [
        *("--suite", "domains", "--data", str(data), "--id", "sunny", "--threshold", "0.5"),
        *("--model", config, "--pretrained", weights, "--prompts", "class-name"),
        *("--epochs", "1", "--batch-size", "8", "--workers", "0"),
    ]


def test_odd_names_go_through_run_repetition_and_report(
    cfft_command: Command, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = os.fsdecode(b"r\xff\x1b")

    ran = cfft_command("run", *words, "--out", out)
    again = cfft_command("run", "--config", f"{out}/config.toml", "--dry-run")
    reported = cfft_command("report", out, "--out", "report")

    assert (ran.code, again.code, reported.code) == (0, 0, 0), ran.err + again.err + reported.err
    assert r"r\xff\x1b" in ran.out
    assert not {"\x1b", "\b", "\x0b"} & {*ran.out, *ran.err, *again.out, *reported.out}
    assert r"caf\xe9" in Path("report/report.html").read_text("utf-8")
    with Image.open(Path(out, "counterfactuals.png")) as sheet:
        assert sheet.width > 100
