"""A run whose reader has gone writes its results all the same."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(("sink", "code"), [("| true", 0), (">/dev/full", 2), (">&- 2>&-", 0)])
def test_a_run_that_nobody_listens_to_writes_its_results(
    sink: str, code: int, world: Path, clip: tuple[Path, Path], tmp_path: Path
) -> None:
    words = [
        *(sys.executable, "-m", "cfft", "run", "--recipe", "zero-shot", "--workers", "0"),
        *("--suite", "domains", "--data", str(world), "--id", "sunny", "--prompts", "class-name"),
        *("--model", str(clip[0]), "--pretrained", str(clip[1]), "--out", str(tmp_path / "run")),
    ]

    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {shlex.join(words)} {sink}"], capture_output=True
    )

    assert (ended.returncode, b"Traceback" in ended.stderr) == (code, False), ended.stderr
    assert (tmp_path / "run" / "results.json").is_file()
