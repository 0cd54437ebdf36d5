"""The command `cfft sweep`: many runs, parameters chosen on validation, one table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import attrs
import typer
from rich.table import Table

from cfft.cli.errors import RunInterruptedError
from cfft.cli.options.command import Command
from cfft.cli.output.consoles import console
from cfft.cli.output.live import reporter
from cfft.cli.output.numbers import brief, percent
from cfft.errors import counted
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import json_text
from cfft.runtime.progress import Advance, ignore
from cfft.training.results import RunResults
from cfft.training.sweep.declaration import read_sweep, sweep_names
from cfft.training.sweep.jobs import Job, planned_jobs
from cfft.training.sweep.outcome import SweepResults
from cfft.training.sweep.running import run_sweep

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
    registry, watcher = Registry.installed(), _Watcher(as_json=as_json)
    if dry_run:
        _list_runs(*planned_jobs(declared, registry, folder), as_json=as_json)
        return
    try:
        results = run_sweep(declared, registry, folder, jobs, watcher)
    except KeyboardInterrupt:
        raise RunInterruptedError("interrupted; run the same command to continue") from None
    if as_json:
        typer.echo(json_text(results))
    watcher.conclude(results, folder)


class _Watcher:
    """Tell of each finished run, and of the table at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self.reporter = reporter(console(), console(stderr=True), as_json=as_json)
        self.out = None if as_json else console()
        self.advance: Advance = ignore
        self.finished = 0

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Advance]:
        self.finished = 0
        try:
            with self.reporter.task(name, total) as self.advance:
                yield self.advance
        finally:
            self.reporter.close()

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
        self.out.print(_table(results))
        self.out.print(f"numbers  {out / 'sweep.json'}", soft_wrap=True)
        self.out.print(f"table    {out / 'table.md'}", soft_wrap=True)


def _list_runs(searching: Sequence[Job], others: Sequence[Job], *, as_json: bool) -> None:
    undecided = (attrs.evolve(j, values=dict.fromkeys(j.values, "to be chosen")) for j in others)
    jobs = [*searching, *undecided]
    if as_json:
        listed = [{"run": str(job.directory.root), "name": job.name} for job in jobs]
        typer.echo(json.dumps(listed, indent=2))
        return
    for job in jobs:
        typer.echo(f"{job.directory.root}: {job.name}")
    typer.echo(f"{counted(len(jobs), 'run')}; nothing was trained: leave --dry-run out to start.")


def _table(results: SweepResults) -> Table:
    table = Table(title="top-1 in percent: mean and standard deviation over seeds")
    for column in results.headings():
        table.add_column(column, justify="left" if column == "row" else "right")
    for row in results.rows:
        table.add_row(*row.spelt())
    return table
