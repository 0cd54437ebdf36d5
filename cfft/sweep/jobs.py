"""One run of a sweep: where it lies, how far it is, and how it is started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol

import attrs

from cfft.checkpoint import is_checkpoint, write_text
from cfft.config import RunConfig, resolve
from cfft.errors import CfftError, ConfigError, TrainingError, several
from cfft.registry import Registry
from cfft.results import RunDirectory, changes
from cfft.sweep.declaration import Row, Sweep, Values

_SAID = 15  # last lines that a failed run wrote


@attrs.frozen
class Job:
    """Describe a run of a sweep in the sweep's folder `out`; `values` as in Sweep.layers."""

    row: Row
    seed: int
    values: Values
    config: RunConfig
    directory: RunDirectory
    log: Path

    @property
    def name(self) -> str:
        """Return what people read of it."""
        chosen = ", ".join(f"{path} {value}" for path, value in self.values.items())
        return ", ".join(filter(None, (self.row.name, f"seed {self.seed}", chosen)))

    def results(self) -> dict[str, Any] | None:
        """Return the results of the finished run, None of any other."""
        return self.directory.read_results()

    def check(self) -> None:
        """Raise ConfigError where the folder holds a run of another configuration."""
        found = self.results()
        changed = changes(found["config"], self.config) if found else []
        if changed:
            raise ConfigError(
                f"{self.directory.root} holds a run of another configuration "
                f"({'; '.join(changed)}): give another --out, or remove that folder"
            )


class Heard(Protocol):
    """Watch the runs of a sweep."""

    def started(self, task: str, total: int) -> None:
        """Hear that `total` runs are to be done, finished ones among them."""

    def done(self, job: Job, results: Mapping[str, Any]) -> None:
        """Hear that a run is finished, now or before."""


def searching_jobs(sweep: Sweep, registry: Registry, out: Path) -> list[Job]:
    """Return the runs that compare searched values; raises ConfigError with every problem."""
    wanted = [
        (row, sweep.search.seed, values, Path("search", row.folder, str(number)))
        for row in sweep.row
        if row.search
        for number, values in enumerate(row.candidates())
    ]
    return _checked(sweep, registry, out, wanted, searching=True)


def final_jobs(
    sweep: Sweep, registry: Registry, out: Path, chosen: Mapping[str, Values]
) -> list[Job]:
    """Return the runs of all rows and seeds; `chosen`: their values, by the row's name."""
    wanted = [
        (row, seed, chosen.get(row.name, {}), Path(row.folder, f"seed-{seed}"))
        for seed in sweep.seeds
        for row in sweep.row
    ]
    return _checked(sweep, registry, out, wanted, searching=False)


def run_jobs(jobs: Sequence[Job], at_once: int, threads: int, heard: Heard) -> None:
    """Run what is not finished, `at_once` side by side, each on `threads` threads.

    A row that waits for another is run after it. Raises TrainingError with what a failed run said,
    once those beside it are done.
    """
    if not jobs:
        return
    heard.started("runs", len(jobs))
    first = [job for job in jobs if job.row.after is None]
    _run_side_by_side(first, at_once, threads, heard)
    for row in dict.fromkeys(job.row.name for job in jobs if job.row.after is not None):
        _run_side_by_side([j for j in jobs if j.row.name == row], at_once, threads, heard)


def _checked(
    sweep: Sweep,
    registry: Registry,
    out: Path,
    wanted: Sequence[tuple[Row, int, Values, Path]],
    *,
    searching: bool,
) -> list[Job]:
    jobs, problems = [], []
    for row, seed, values, place in wanted:
        layers = sweep.layers(row, seed, values, out.resolve(), searching=searching)
        try:
            config = resolve(registry, layers)
            log = out / "logs" / f"{'-'.join(place.parts)}.txt"
            job = Job(row, seed, values, config, RunDirectory(out / place), log)
            job.check()
            jobs.append(job)
        except CfftError as error:
            problems.append(f"row '{row.name}': {error}")
    if problems:
        raise ConfigError(several(dict.fromkeys(problems)))
    return jobs


def _run_side_by_side(jobs: Sequence[Job], at_once: int, threads: int, heard: Heard) -> None:
    with ThreadPoolExecutor(at_once) as pool:
        running = {pool.submit(_finish, job, threads): job for job in jobs}
        try:
            for future in as_completed(running):
                heard.done(running[future], future.result())
        finally:
            pool.shutdown(cancel_futures=True)


def _finish(job: Job, threads: int) -> dict[str, Any]:
    found = job.results()
    if found is not None:
        return found
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("w", encoding="utf-8") as log:
        ended = subprocess.run(_command(job, threads), stdout=log, stderr=log, check=False)
    found = job.results()
    if ended.returncode or found is None:
        raise TrainingError(_failure(job, ended.returncode))
    return found


def _command(job: Job, threads: int) -> list[str]:
    """Return a command of its own: torch fixes its threads once per process."""
    start = f"import torch; torch.set_num_threads({threads}); from cfft.cli import main; main()"
    return [sys.executable, "-c", start, "run", "--out", str(job.directory.root), *_source(job)]


def _source(job: Job) -> list[str]:
    if is_checkpoint(job.directory.last):
        return ["--resume"]
    config = job.log.with_suffix(".toml")
    write_text(config, job.config.to_toml())
    return ["--config", str(config)]


def _failure(job: Job, code: int) -> str:
    said = job.log.read_text("utf-8").splitlines()[-_SAID:]
    head = f"run '{job.name}' ended with exit code {code}; all it said is in {job.log}:"
    return several([head, *(f"  {line}" for line in said)])
