"""One run of a sweep: where it lies, how far it is, and how it is started."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from itertools import count
from pathlib import Path

import attrs

from cfft.config.comparison import begins_alike, same_run
from cfft.config.resolve import in_current_terms, resolve
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError, Problems, TrainingError
from cfft.plugin.registry import Registry
from cfft.runtime.files import write_text
from cfft.runtime.interrupts import Terminated
from cfft.runtime.processors import processors
from cfft.runtime.progress import Reporter
from cfft.training.results import RunResults
from cfft.training.run_directory import RunDirectory, is_begun
from cfft.training.sweep.children import Children
from cfft.training.sweep.declaration import Row, Sweep, Values, point_folder, point_name

_Wanted = tuple[Row, int, Values, Path]
_Done = Callable[["Job", RunResults], None]
_SAID = 15  # last lines that a failed run wrote
_INTERRUPTED = 130
_OWN_SIGNAL = 1.0
"""Seconds until a signal that ended a run of this process group has ended this process too."""


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

    @property
    def point(self) -> Values:
        """The values that the row varies; none of a row that is a single point."""
        return {path: value for path, value in self.values.items() if path in self.row.vary}

    def results(self) -> RunResults | None:
        """Return the results of the finished run, None of any other."""
        return self.directory.read_results()

    def check(self, registry: Registry) -> None:
        """Raise ConfigError where the folder holds a run, finished or not, of another one."""
        own = self.config.to_dict()
        stored = self.directory.read_config() if self.directory.config.is_file() else own
        stored = in_current_terms(stored, registry)
        settings = same_run(stored, own)
        if not settings:
            raise ConfigError(
                f"{self.directory.root} holds a run of another configuration ({settings}): give "
                "another --out, or remove that folder"
            )


def planned_jobs(sweep: Sweep, registry: Registry, out: Path) -> tuple[list[Job], list[Job]]:
    """Return the runs that compare searched values, and all others before these are chosen.

    The others have the first of their searched values. Raises ConfigError with every problem.
    """
    searching = [
        (row, sweep.search.seed, values, Path("search", row.folder, str(number)))
        for row in sweep.row
        if row.search
        for number, values in enumerate(row.candidates())
    ]
    first = {row.name: row.candidates()[0] for row in sweep.row}
    problems = Problems()
    jobs = (
        _jobs(sweep, registry, out, searching, problems, searching=True),
        _jobs(sweep, registry, out, _final(sweep, first), problems, searching=False),
    )
    problems.check()
    return jobs


def final_jobs(
    sweep: Sweep, registry: Registry, out: Path, chosen: Mapping[str, Values]
) -> list[Job]:
    """Return the runs of all rows and seeds; `chosen`: their values, by the row's name.

    Raises ConfigError with every problem, also where a folder holds another run.
    """
    problems = Problems()
    jobs = _jobs(sweep, registry, out, _final(sweep, chosen), problems, searching=False)
    problems.check()
    check_jobs(jobs, registry)
    return jobs


def check_jobs(jobs: Iterable[Job], registry: Registry) -> None:
    """Raise ConfigError, with every one, for folders that hold runs of other configurations."""
    problems = Problems()
    for job in jobs:
        with problems.noted(f"row '{job.row.name}': "):
            job.check(registry)
    problems.check()


def run_jobs(jobs: Sequence[Job], at_once: int, reporter: Reporter, done: _Done) -> None:
    """Run what is not finished, `at_once` side by side, and call `done` with each finished run.

    They share the cores. A row that waits for another is run after it. Raises TrainingError with
    what a failed run said, once those beside it are done. SIGTERM, as Terminated, ends those that
    run.
    """
    if not jobs:
        return
    first = [job for job in jobs if job.row.after is None]
    rows = dict.fromkeys(job.row.name for job in jobs if job.row.after is not None)
    numbers = count(1)
    with reporter.task("runs", len(jobs)) as advance:

        def hear(job: Job, results: RunResults) -> None:
            advance(next(numbers))
            done(job, results)

        for together in (first, *([j for j in jobs if j.row.name == row] for row in rows)):
            _run_side_by_side(together, jobs, at_once, hear)


def run_place(row: Row, point: Values, seed: int) -> Path:
    """Return where a run lies in the folder of its sweep."""
    return Path(row.folder, *([point_folder(point)] if point else []), f"seed-{seed}")


def _final(sweep: Sweep, chosen: Mapping[str, Values]) -> list[_Wanted]:
    return [
        (row, seed, {**chosen.get(row.name, {}), **point}, run_place(row, point, seed))
        for seed in sweep.all_seeds
        for row in sweep.row
        if seed in sweep.seeds_of(row)
        for point in row.points()
    ]


def _jobs(
    sweep: Sweep,
    registry: Registry,
    out: Path,
    wanted: Sequence[_Wanted],
    problems: Problems,
    *,
    searching: bool,
) -> list[Job]:
    jobs = []
    for row, seed, values, place in wanted:
        with problems.noted(f"row '{row.name}': "):
            layers = sweep.layers(row, seed, values, out.resolve(), searching=searching)
            log = out / "logs" / f"{'-'.join(place.parts)}.txt"
            config = resolve(registry, layers)
            jobs.append(Job(row, seed, values, config, RunDirectory(out / place), log))
    first = {job.row.name: job.seed for job in reversed(jobs)}
    problems += _without_effect([job for job in jobs if job.seed == first[job.row.name]])
    return jobs


def _without_effect(jobs: Sequence[Job]) -> Iterator[str]:
    """Refuse values that make the same run as others, as they belong to nothing that it uses."""
    known: dict[tuple[str, str], Job] = {}
    for job in jobs:
        like = known.setdefault((job.row.name, repr(job.config.to_dict())), job)
        if like is not job:
            ours, theirs = (point_name(each.values) for each in (job, like))
            yield (
                f"row '{job.row.name}': {ours} is the same run as {theirs}: the row uses nothing "
                f"called so ({', '.join(job.values)})"
            )


def _run_side_by_side(jobs: Sequence[Job], known: Sequence[Job], at_once: int, done: _Done) -> None:
    """Run `jobs`; what the `known` ones measured before fine-tuning is not measured again."""
    children, pool = Children(), ThreadPoolExecutor(at_once)
    threads = max(1, processors() // at_once)

    def finish(job: Job) -> RunResults:
        return _finish(job, known, threads, children)

    try:
        _hear_all({pool.submit(finish, job): job for job in jobs}, pool, done)
    except Terminated:
        children.end()  # a terminal's Ctrl-C reaches them by itself
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _hear_all(
    running: Mapping[Future[RunResults], Job], pool: ThreadPoolExecutor, done: _Done
) -> None:
    """Report each run that ends; where one fails, start no other and wait for those beside it."""
    try:
        for future in as_completed(running):
            done(running[future], future.result())
    except Terminated:
        raise
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        wait(each for each in running if not each.cancelled())  # SIGTERM can interrupt it
        raise


def _finish(job: Job, known: Sequence[Job], threads: int, children: Children) -> RunResults:
    found = job.results()
    if found is not None:
        return found
    job.log.parent.mkdir(parents=True, exist_ok=True)
    command = _command(job, known, threads)
    with job.log.open("w", encoding="utf-8") as log, children.start(command, log) as process:
        code = process.wait()
    if code == _INTERRUPTED:
        time.sleep(_OWN_SIGNAL)
        raise KeyboardInterrupt
    found = job.results()
    if code or found is None:
        raise TrainingError(*_failure(job, code))
    return found


def _command(job: Job, known: Sequence[Job], threads: int) -> list[str]:
    """Return a command of its own: torch fixes its threads once per process."""
    start = (
        "from cfft.training.sweep.children import end_with_sweep; end_with_sweep(); "
        f"import torch; torch.set_num_threads({threads}); from cfft.cli import main; main()"
    )
    alike = [each for each in known if _begins_as(each, job)]
    alike.sort(key=lambda each: each.config.images_seed != job.config.images_seed)
    before = ["--before", str(alike[0].directory.root)] if alike else []
    own = ["run", "--out", str(job.directory.root), *_source(job), *before]
    return [sys.executable, "-c", start, *own]


def _begins_as(finished: Job, job: Job) -> bool:
    """Tell whether a job is finished and likely to have begun as another one does."""
    alike = begins_alike(finished.config.to_dict(), job.config.to_dict())
    return alike and finished.results() is not None


def _source(job: Job) -> list[str]:
    if is_begun(job.directory):
        return ["--resume"]
    config = job.log.with_suffix(".toml")
    write_text(config, job.config.to_toml())
    return ["--config", str(config)]


def _failure(job: Job, code: int) -> Iterator[str]:
    said = job.log.read_text("utf-8", "backslashreplace").splitlines()[-_SAID:]
    yield f"run '{job.name}' ended with exit code {code}; all it said is in {job.log}:"
    yield from (f"  {line}" for line in said)
