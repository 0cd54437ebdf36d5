"""The command `cfft sweep`: many runs, parameters chosen on validation, one table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import attrs
import typer
from rich.console import Console
from rich.table import Table

from cfft.cli.errors import RunInterruptedError
from cfft.cli.options.command import Command
from cfft.cli.output.consoles import console
from cfft.cli.output.live import Quiet, reporter
from cfft.cli.output.numbers import brief, percent
from cfft.errors import ConfigError, counted
from cfft.plugin.registry import Registry
from cfft.runtime.files import write_text
from cfft.runtime.json_files import json_text, write_json
from cfft.runtime.progress import Advance, ignore
from cfft.scoring.spread import Spread
from cfft.training.results import RunResults
from cfft.training.sweep.declaration import Sweep, read_sweep, sweep_names
from cfft.training.sweep.jobs import Job, check_jobs, final_jobs, planned_jobs, run_jobs
from cfft.training.sweep.outcome import (
    Outcome,
    SweepResults,
    best_values,
    outcomes,
    searched_values,
)

_HELP = """{summary}

A sweep FILE.toml lists rows, their seeds and the values to choose from on validation; see \
docs/sweep.md. cfft brings: {names}.

Finished runs are kept: the same command goes on where it was interrupted.
"""


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command."""
    text = _HELP.format(summary=summary, names=", ".join(sweep_names()))
    app.command(name, cls=Command, help=text)(sweep)


def sweep(
    file: Annotated[str, typer.Argument(help="FILE.toml, or a name.", metavar="SWEEP")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of all runs.", metavar="DIR", show_default="runs/SWEEP"),
    ] = None,
    jobs: Annotated[
        int, typer.Option(help="Runs side by side; they share the cores.", metavar="N", min=1)
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and list the runs; train nothing.", metavar="")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print sweep.json.", metavar="")] = False,
) -> None:
    """Do what the help says."""
    declared = read_sweep(file)
    folder = out or Path("runs", Path(file).stem)
    work = _Work(declared, Registry.installed(), folder, jobs, _watcher(as_json))
    searching, undecided = planned_jobs(declared, work.registry, folder)
    check_jobs(searching)
    if dry_run:
        _list_runs([*searching, *map(_undecided, undecided)], as_json)
        return
    try:
        results = work.done(searching)
    except KeyboardInterrupt:
        raise RunInterruptedError("interrupted; the same command goes on with it") from None
    if as_json:
        typer.echo(json_text(results))


@attrs.frozen
class _Work:
    """Hold what the runs of a sweep have in common."""

    sweep: Sweep
    registry: Registry
    out: Path
    at_once: int
    watcher: _Watcher

    def done(self, searching: Sequence[Job]) -> SweepResults:
        """Run what is missing, write and show the table, and return what is in sweep.json."""
        self._check_folder()
        self._run(searching)
        searched = searched_values(searching)
        chosen = best_values(searched)
        final = final_jobs(self.sweep, self.registry, self.out, chosen)
        self._run(final)
        results = SweepResults(searched=searched, chosen=chosen, rows=outcomes(final))
        write_json(self.out / "sweep.json", results)
        write_text(self.out / "table.md", _markdown(results.rows))
        self.watcher.conclude(results, self.out)
        return results

    def _check_folder(self) -> None:
        if self.out.exists() and not self.out.is_dir():
            raise ConfigError(f"--out {self.out} is a file: give the folder of the sweep")

    def _run(self, jobs: Sequence[Job]) -> None:
        threads = max(1, (os.cpu_count() or 1) // self.at_once)
        try:
            run_jobs(jobs, self.at_once, threads, self.watcher)
        finally:
            self.watcher.reporter.close()


class _Watcher:
    """Tell of each finished run, and of the table at the end."""

    def __init__(self, reporter: Quiet, out: Console | None) -> None:
        self.reporter, self.out = reporter, out
        self.advance: Advance = ignore
        self.finished = 0

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Advance]:
        self.finished = 0
        with self.reporter.task(name, total) as self.advance:
            yield self.advance

    def done(self, job: Job, results: RunResults) -> None:
        self.finished += 1
        self.advance(self.finished)
        if self.out is not None:
            said = f"validation {percent(results.best_val_top1)} %"
            self.out.print(f"{job.name}: {said}, {brief(results.seconds)}", soft_wrap=True)

    def conclude(self, results: SweepResults, out: Path) -> None:
        """Print the table, the chosen values and where both are."""
        if self.out is None:
            return
        for name, values in results.chosen.items():
            listed = ", ".join(f"{path} {value}" for path, value in values.items())
            self.out.print(f"chosen on validation for {name}: {listed}", soft_wrap=True)
        self.out.print(_table(results.rows))
        self.out.print(f"numbers  {out / 'sweep.json'}", soft_wrap=True)
        self.out.print(f"table    {out / 'table.md'}", soft_wrap=True)


def _watcher(as_json: bool) -> _Watcher:
    heard = reporter(console(), console(stderr=True), as_json=as_json)
    return _Watcher(heard, None if as_json else console())


def _undecided(job: Job) -> Job:
    """Return the run as it is listed before its searched values are chosen."""
    return attrs.evolve(job, values=dict.fromkeys(job.values, "to be chosen"))


def _list_runs(jobs: Sequence[Job], as_json: bool) -> None:
    if as_json:
        listed = [{"run": str(job.directory.root), "name": job.name} for job in jobs]
        typer.echo(json.dumps(listed, indent=2))
        return
    for job in jobs:
        typer.echo(f"{job.directory.root}: {job.name}")
    typer.echo(f"{counted(len(jobs), 'run')}; nothing was trained: leave --dry-run out to start.")


def _columns(rows: Sequence[Outcome]) -> list[str]:
    return ["row", "validation", *rows[0].sets, "OOD average"]


def _cells(row: Outcome) -> list[str]:
    return [row.name, *map(_spelled, (row.validation, *row.sets.values(), row.ood_average))]


def _spelled(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    deviation = f" ±{percent(spread.std)}" if spread.std is not None else ""
    return f"{percent(spread.mean)}{deviation}"


def _table(rows: Sequence[Outcome]) -> Table:
    table = Table(title="top-1 in percent: mean and standard deviation over seeds")
    for column in _columns(rows):
        table.add_column(column, justify="left" if column == "row" else "right")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _markdown(rows: Sequence[Outcome]) -> str:
    columns = _columns(rows)
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *map(_cells, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
