"""Signals to a run with workers, to its whole group, and to a sweep: all end in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cfft.model import checkpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks at processes in /proc"),
]

CFFT = (sys.executable, "-c", "from cfft.cli import main; main()")
SECONDS = 120
SWEEP = """
[config.training]
epochs = 400
batch_size = 8
workers = 1
precision = "fp32"
log_every = 1
[config.suite]
use = "domains"
data = "{world}"
id = "sunny"
[config.model]
name = "{model}"
pretrained = "{weights}"
prompts = "class-name"
[[row]]
name = "own"
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return `start(*words)`, which starts a command in a process group of its own."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: object) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [*CFFT, *map(str, words)], cwd=tmp_path, start_new_session=True, text=True, **pipes
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def words(world: Path, clip: tuple[Path, Path]) -> list[object]:
    """Say what every run here is: one of hours, with two workers."""
    return [
        *("run", "--suite", "domains", "--data", world, "--id", "sunny", "--out", "RUN"),
        *("--model", clip[0], "--pretrained", clip[1], "--prompts", "class-name"),
        *("--epochs", "400", "--batch-size", "8", "--workers", "2", "--log-every", "1"),
        *("--keep-decoded", "none"),  # or workers are needed in the first epoch alone
    ]


@pytest.fixture
def sweep(world: Path, clip: tuple[Path, Path], tmp_path: Path) -> Path:
    """Write a sweep of one run of hours."""
    text = SWEEP.format(world=world, model=clip[0], weights=clip[1])
    (tmp_path / "sweep.toml").write_text(text)
    return tmp_path / "sweep.toml"


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


def trains(run: Path) -> bool:
    """Tell whether a run has begun its second epoch."""
    metrics = run / "metrics.jsonl"
    return metrics.is_file() and metrics.read_text().count("\n") > 5


def last_step(run: Path) -> int:
    whole, _, _ = (run / "metrics.jsonl").read_text().rpartition("\n")
    return max(json.loads(line)["step"] for line in whole.splitlines())


def stored_step(run: Path) -> int:
    state = checkpoint.load(run / "checkpoints" / "last").state
    assert state is not None
    return int(state["run"]["step"])


def children(pid: int) -> list[int]:
    """List the processes that a process has started, from any thread."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def is_running(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def resumed(start: Start, run: Path) -> int:
    """Go on with a run until it trains and return the first step that it says is done."""
    process = start("run", "--resume", "--out", run)
    assert process.stderr is not None
    said = next(line for line in process.stderr if "resuming the run" in line)
    return int(said.partition(": ")[2].split()[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_stores_the_step_and_says_how_to_go_on(
    start: Start, words: list[object], tmp_path: Path, number: int
) -> None:
    process, run = start(*words), tmp_path / "RUN"
    wait_for(lambda: trains(run))
    workers = children(process.pid)

    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=SECONDS)

    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted; continue with: cfft run --resume --out RUN"
    assert "Traceback" not in said
    assert stored_step(run) == last_step(run)
    assert len(workers) >= 2  # those of the next epoch may have begun
    assert not any(map(is_running, workers))
    assert resumed(start, run) == stored_step(run)


def test_a_worker_that_is_killed_ends_the_run_with_what_it_has_trained(
    start: Start, words: list[object], tmp_path: Path
) -> None:
    process, run = start(*words), tmp_path / "RUN"
    wait_for(lambda: trains(run))

    os.kill(children(process.pid)[0], signal.SIGKILL)
    _, said = process.communicate(timeout=SECONDS)

    *_, error, advice = said.splitlines()
    assert process.returncode == 2, said
    assert error.startswith("error: a process that decodes images died at or after ")
    assert advice == ("error: once that is fixed, continue with: cfft run --resume --out RUN")
    assert "Traceback" not in said
    assert stored_step(run) == last_step(run)
    assert resumed(start, run) == stored_step(run)


def test_a_worker_that_is_sent_sigterm_goes_on(
    start: Start, words: list[object], tmp_path: Path
) -> None:
    process, run = start(*words), tmp_path / "RUN"
    wait_for(lambda: trains(run))
    before = last_step(run)

    os.kill(children(process.pid)[0], signal.SIGTERM)
    wait_for(lambda: last_step(run) > before + 6)

    assert process.poll() is None
    os.kill(process.pid, signal.SIGTERM)
    assert "Traceback" not in process.communicate(timeout=SECONDS)[1]
    assert process.returncode == 130


def test_workers_end_with_a_run_that_is_killed(
    start: Start, words: list[object], tmp_path: Path
) -> None:
    process = start(*words)
    wait_for(lambda: trains(tmp_path / "RUN"))
    workers = children(process.pid)

    process.kill()

    wait_for(lambda: not any(map(is_running, workers)))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_to_the_group_of_a_sweep_stores_the_steps_of_its_runs(
    start: Start, sweep: Path, tmp_path: Path, number: int, code: int
) -> None:
    process, run = start("sweep", sweep, "--out", "SWEEP"), tmp_path / "SWEEP" / "own" / "seed-0"
    wait_for(lambda: trains(run))

    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=SECONDS)

    assert process.returncode == code
    assert "Traceback" not in said
    assert stored_step(run) == last_step(run)


def test_the_runs_of_a_sweep_that_is_killed_store_their_step_and_end(
    start: Start, sweep: Path, tmp_path: Path
) -> None:
    process, run = start("sweep", sweep, "--out", "SWEEP"), tmp_path / "SWEEP" / "own" / "seed-0"
    wait_for(lambda: trains(run))
    (child,) = children(process.pid)

    process.kill()

    wait_for(lambda: not is_running(child))
    assert stored_step(run) == last_step(run)
    assert (
        "continue with: cfft run --resume" in next((tmp_path / "SWEEP/logs").iterdir()).read_text()
    )
