"""How a sweep ends before its runs do: which of them end with it, and which it waits for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cfft.cli.errors import reported
from cfft.plugin.registry import Registry
from cfft.runtime.interrupts import Terminated
from cfft.runtime.progress import Silent
from cfft.training.results import RunResults
from cfft.training.sweep.children import Children
from cfft.training.sweep.declaration import parse_sweep
from cfft.training.sweep.jobs import Job, final_jobs, run_jobs

SWEEP = 'recipe = "embedded"\n[[row]]\nname = "a"\n[[row]]\nname = "b"\n'
# what a process does in place of a run
START = """
import os, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
"""
RESULTS = '{"config": {}, "sets": {}, "before": {"sets": {}}}'
WRITE = f"(folder / 'results.json').write_text({RESULTS!r})"
FINISH = f"{START}{WRITE}"
FINISH_LATER = f"{START}time.sleep(1); {WRITE}"
END_THE_SWEEP = f"""{START}
signal.signal(signal.SIGTERM, lambda *_: sys.exit((folder / 'ended').write_text('')))
time.sleep(1)
os.kill(os.getppid(), signal.SIGTERM)
time.sleep(60)
"""


def seen_enough(job: Job, results: RunResults) -> None:
    """End at the first run that is done, as a closed pipe does."""
    raise SystemExit(0)


def seen(job: Job, results: RunResults) -> None:
    """Hear that a run is done."""


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    return final_jobs(parse_sweep(SWEEP, "file"), Registry.installed(), tmp_path, {})


@pytest.fixture
def do(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return `do(a=..., b=...)`, which says what the run of each row does."""

    def choose(**code: str) -> None:
        def command(job: Job, known: Sequence[Job], threads: int) -> list[str]:
            return [sys.executable, "-c", code[job.row.name], str(job.directory.root)]

        monkeypatch.setattr("cfft.training.sweep.jobs._command", command)

    return choose


def written(job: Job) -> list[str]:
    return [path.name for path in job.directory.root.glob("*")]


def test_a_sweep_whose_reader_has_seen_enough_waits_for_the_runs_that_it_started(
    jobs: list[Job], do: Callable[..., None]
) -> None:
    do(a=FINISH, b=FINISH_LATER)

    with pytest.raises(SystemExit) as end:
        run_jobs(jobs, 2, Silent(), seen_enough)

    assert end.value.code == 0
    assert [written(job) for job in jobs] == [["results.json"], ["results.json"]]


def test_sigterm_ends_the_run_and_starts_no_other(jobs: list[Job], do: Callable[..., None]) -> None:
    do(a=END_THE_SWEEP, b=FINISH)

    with pytest.raises(SystemExit) as end, reported():
        run_jobs(jobs, 1, Silent(), seen)

    assert end.value.code == 143
    assert [written(job) for job in jobs] == [["ended"], []]


def test_sigterm_ends_a_run_that_a_sweep_only_waits_for(
    jobs: list[Job], do: Callable[..., None]
) -> None:
    do(a=FINISH, b=END_THE_SWEEP)

    with pytest.raises(SystemExit) as end, reported():
        run_jobs(jobs, 2, Silent(), seen_enough)

    assert end.value.code == 143
    assert [written(job) for job in jobs] == [["results.json"], ["ended"]]


def test_a_process_that_is_about_to_start_when_all_end_does_not(tmp_path: Path) -> None:
    children = Children()
    children.end()

    with (tmp_path / "log").open("w") as log, pytest.raises(Terminated):
        children.start([sys.executable, "-c", ""], log)
