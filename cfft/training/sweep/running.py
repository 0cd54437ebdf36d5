"""A sweep as it is run: processes side by side that end with it, then its results."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock
from typing import IO, Protocol

from cfft.errors import TrainingError
from cfft.model.checkpoint import is_checkpoint
from cfft.plugin.registry import Registry
from cfft.runtime.files import check_fillable, write_text
from cfft.runtime.interrupts import Terminated
from cfft.runtime.json_files import write_json
from cfft.runtime.progress import Advance
from cfft.training.results import RunResults
from cfft.training.sweep.declaration import Sweep
from cfft.training.sweep.jobs import Job, final_jobs, planned_jobs
from cfft.training.sweep.outcome import (
    SweepResults,
    best_values,
    markdown,
    outcomes,
    searched_values,
)

_SAID = 15  # last lines that a failed run wrote


class SweepReporter(Protocol):
    """Watch the runs of a sweep."""

    def task(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """Show that `total` runs are to be done, finished ones among them; as Reporter.task."""

    def done(self, job: Job, results: RunResults) -> None:
        """Hear that a run is finished, now or before."""


def run_sweep(
    sweep: Sweep, registry: Registry, out: Path, at_once: int, reporter: SweepReporter
) -> SweepResults:
    """Do what is missing of a sweep in `out`, write its results there and return them.

    Raises as `run_jobs` does, and ConfigError as planned_jobs and final_jobs do.
    """
    searching, _ = planned_jobs(sweep, registry, out)
    check_fillable(out)
    threads = max(1, (os.cpu_count() or 1) // at_once)
    run_jobs(searching, at_once, threads, reporter)
    searched = searched_values(searching)
    chosen = best_values(searched)
    final = final_jobs(sweep, registry, out, chosen)
    run_jobs(final, at_once, threads, reporter)
    results = SweepResults(searched=searched, chosen=chosen, rows=outcomes(final))
    write_json(out / "sweep.json", results)
    write_text(out / "table.md", markdown(results))
    return results


def run_jobs(jobs: Sequence[Job], at_once: int, threads: int, reporter: SweepReporter) -> None:
    """Run what is not finished, `at_once` side by side, each on `threads` threads.

    A row that waits for another is run after it. Raises TrainingError with what a failed run said,
    once those beside it are done. SIGTERM, as Terminated, ends those that run.
    """
    if not jobs:
        return
    first = [job for job in jobs if job.row.after is None]
    rows = dict.fromkeys(job.row.name for job in jobs if job.row.after is not None)
    with reporter.task("runs", len(jobs)):
        for together in (first, *([j for j in jobs if j.row.name == row] for row in rows)):
            _run_side_by_side(together, at_once, threads, reporter)


def _run_side_by_side(
    jobs: Sequence[Job], at_once: int, threads: int, reporter: SweepReporter
) -> None:
    children, pool = Children(), ThreadPoolExecutor(at_once)
    try:
        running = {pool.submit(_finish, job, threads, children): job for job in jobs}
        _hear_all(running, pool, reporter)
    except Terminated:
        children.end()  # a terminal's Ctrl-C reaches them by itself
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _hear_all(
    running: Mapping[Future[RunResults], Job], pool: ThreadPoolExecutor, reporter: SweepReporter
) -> None:
    """Tell of each run that ends; where one fails, start no other and wait for those beside it."""
    try:
        for future in as_completed(running):
            reporter.done(running[future], future.result())
    except Terminated:
        raise
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        wait(each for each in running if not each.cancelled())  # SIGTERM can interrupt it
        raise


def _finish(job: Job, threads: int, children: Children) -> RunResults:
    found = job.results()
    if found is not None:
        return found
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("w", encoding="utf-8") as log:
        code = children.start(_command(job, threads), log).wait()
    found = job.results()
    if code or found is None:
        raise TrainingError(*_failure(job, code))
    return found


def _command(job: Job, threads: int) -> list[str]:
    # a process of its own: torch fixes its threads once per process
    start = f"import torch; torch.set_num_threads({threads}); from cfft.cli import main; main()"
    return [sys.executable, "-c", start, "run", "--out", str(job.directory.root), *_source(job)]


def _source(job: Job) -> list[str]:
    if is_checkpoint(job.directory.last):
        return ["--resume"]
    config = job.log.with_suffix(".toml")
    write_text(config, job.config.to_toml())
    return ["--config", str(config)]


def _failure(job: Job, code: int) -> Iterator[str]:
    said = job.log.read_text("utf-8").splitlines()[-_SAID:]
    yield f"run '{job.name}' ended with exit code {code}; its full output is in {job.log}:"
    yield from (f"  {line}" for line in said)


class Children:
    """Start processes, from any thread, until all are told to end."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []
        self._ending = False
        self._lock = Lock()  # none is started unseen while the others are told to end

    def start(self, command: Sequence[str], log: IO[str]) -> subprocess.Popen[bytes]:
        """Start a process that writes to `log`; raises Terminated where all are told to end."""
        with self._lock:
            if self._ending:
                raise Terminated
            process = subprocess.Popen(command, stdout=log, stderr=log)
            self._started.append(process)
        return process

    def end(self) -> None:
        """Send SIGTERM to those that run; no other one starts after it."""
        with self._lock:
            self._ending = True
            for process in self._started:
                process.terminate()
