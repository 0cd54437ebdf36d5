"""The runs of a sweep: where each lies, how it is configured, and what it has come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import attrs

from cfft.config.comparison import same_run
from cfft.config.resolve import RunConfig, resolve
from cfft.errors import CfftError, ConfigError
from cfft.plugin.registry import Registry
from cfft.training.results import RunResults
from cfft.training.run_directory import RunDirectory
from cfft.training.sweep.declaration import Row, Sweep, Values

T = TypeVar("T")
_Wanted = tuple[Row, int, Values, Path]
_SEARCH = "search"


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

    def results(self) -> RunResults | None:
        return self.directory.read_results()

    def check(self) -> None:
        """Raise ConfigError where the folder holds a run, finished or not, of another one."""
        own = self.config.to_dict()
        stored = self.directory.read_config() if self.directory.config.is_file() else own
        settings = same_run(stored, own)
        if not settings:
            raise ConfigError(
                f"{self.directory.root} holds a run of another configuration ({settings}): give "
                "another --out, or remove that folder"
            )


def planned_jobs(sweep: Sweep, registry: Registry, out: Path) -> tuple[list[Job], list[Job]]:
    """Return the runs that compare searched values, and all others before these are chosen.

    The others have the first of their searched values. Raises ConfigError with every problem, also
    where a folder of the former holds another run.
    """
    searching = [
        (row, sweep.search.seed, values, Path(_SEARCH, row.folder, str(number)))
        for row in sweep.row
        if row.search
        for number, values in enumerate(row.candidates())
    ]
    first = {row.name: row.candidates()[0] for row in sweep.row}
    jobs = _jobs(sweep, registry, out, [*searching, *_final(sweep, first)])
    check_jobs(jobs[: len(searching)])
    return jobs[: len(searching)], jobs[len(searching) :]


def final_jobs(
    sweep: Sweep, registry: Registry, out: Path, chosen: Mapping[str, Values]
) -> list[Job]:
    """Return the runs of all rows and seeds; `chosen`: their values, by the row's name.

    Raises ConfigError with every problem, also where a folder holds another run.
    """
    jobs = _jobs(sweep, registry, out, _final(sweep, chosen))
    check_jobs(jobs)
    return jobs


def check_jobs(jobs: Iterable[Job]) -> None:
    """Raise ConfigError, with every one, for folders that hold runs of other configurations."""
    _by_row((job.row, job.check) for job in jobs)


def _final(sweep: Sweep, chosen: Mapping[str, Values]) -> list[_Wanted]:
    return [
        (row, seed, chosen.get(row.name, {}), Path(row.folder, f"seed-{seed}"))
        for seed in sweep.seeds
        for row in sweep.row
    ]


def _jobs(sweep: Sweep, registry: Registry, out: Path, wanted: Sequence[_Wanted]) -> list[Job]:
    def made(row: Row, seed: int, values: Values, place: Path) -> Job:
        searching = place.parts[0] == _SEARCH
        layers = sweep.layers(row, seed, values, out.resolve(), searching=searching)
        log = out / "logs" / f"{'-'.join(place.parts)}.txt"
        return Job(row, seed, values, resolve(registry, layers), RunDirectory(out / place), log)

    return _by_row((each[0], partial(made, *each)) for each in wanted)


def _by_row(actions: Iterable[tuple[Row, Callable[[], T]]]) -> list[T]:
    done: list[T] = []
    problems: list[str] = []
    for row, action in actions:
        start = f"row '{row.name}': "
        try:
            done.append(action())
        except CfftError as error:
            problems += (start + each.removeprefix(start) for each in error.problems)
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    return done
