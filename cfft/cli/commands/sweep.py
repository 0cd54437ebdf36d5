"""The command `cfft sweep`: many runs, parameters chosen on validation, one table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import attrs
import typer

from cfft.cli.errors import RunInterruptedError, starting
from cfft.cli.options.command import Command
from cfft.cli.options.completion import completing
from cfft.cli.options.volume import volume, with_volume
from cfft.cli.output.consoles import console, table
from cfft.cli.output.frontier_tables import Lines, frontier_tables
from cfft.cli.output.live import reporting
from cfft.cli.output.numbers import brief, percent, spread
from cfft.cli.streams import say
from cfft.errors import counted
from cfft.plugin.registry import Registry
from cfft.runtime.files import write_text
from cfft.runtime.json_files import json_text, write_json
from cfft.runtime.locks import held
from cfft.runtime.outside import shown
from cfft.training.results import RunResults
from cfft.training.sweep.declaration import Sweep, read_sweep, sweep_names
from cfft.training.sweep.jobs import Job, check_jobs, planned_jobs
from cfft.training.sweep.outcome import Outcome, SweepResults, check_place, run_sweep

_HELP = """{summary}

A sweep FILE.toml lists rows, their seeds and the values to choose from on validation; see \
docs/sweep.md. Built-in sweeps: {names}.

Finished runs are kept: to continue an interrupted sweep, run the same command again.
"""


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command."""
    text = _HELP.format(summary=summary, names=", ".join(sweep_names()))
    app.command(name, cls=Command, help=text)(with_volume(sweep))


def _matching(incomplete: str) -> list[str]:
    return completing(sweep_names())(incomplete)


def sweep(
    file: Annotated[
        str, typer.Argument(help="FILE.toml, or a name", metavar="SWEEP", autocompletion=_matching)
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="folder of all runs", metavar="DIR", show_default="runs/SWEEP"),
    ] = None,
    jobs: Annotated[
        int, typer.Option(help="runs at the same time; they share the cores", metavar="N", min=1)
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="check and list the runs; train nothing", metavar="")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="print sweep.json and nothing else", metavar="")
    ] = False,
) -> None:
    """Do the runs of a sweep and show their table."""
    declared, registry = read_sweep(file), Registry.installed()
    folder = out or Path("runs", Path(file).stem)
    check_place(folder)
    if dry_run:
        _list_runs(declared, registry, folder, as_json)
        return
    try:
        with held(folder), reporting(as_json=as_json) as watcher:
            done = ignored if as_json or volume() == "quiet" else print_run
            results = run_sweep(declared, registry, folder, jobs, watcher, done)
            tables = list(_tables(declared, results, folder))
            text = "\n".join(_markdown(lines) for _, lines in tables)
            write_text(folder / "table.md", shown(text))
    except KeyboardInterrupt:
        raise RunInterruptedError("interrupted; run the same command again to continue") from None
    if as_json:
        typer.echo(json_text(results))
    else:
        _show(results, tables, folder)


def ignored(job: Job, results: RunResults) -> None:
    """Print nothing about a finished run."""


def print_run(job: Job, results: RunResults) -> None:
    """Print one line about a finished run."""
    said = f"validation {percent(results.best_val_top1)} %, {brief(results.seconds)}"
    console().print(f"{job.name}: {said}", soft_wrap=True)


def _tables(sweep: Sweep, results: SweepResults, out: Path) -> Iterator[tuple[str, Lines]]:
    """Go through titles and tables; write frontier.json where rows vary something."""
    title = "top-1 in percent: mean and standard deviation over seeds"
    yield title, [_columns(results.rows), *map(_cells, results.rows)]
    if sweep.reference is not None and results.rows[-1].ood_average is not None:
        with starting():
            from cfft.evaluation.frontier import FRONTIER, sweep_frontier  # torch comes with it
        found = sweep_frontier(results.rows, sweep.reference, sweep.frontier.at)
        write_json(out / FRONTIER, found)
        yield from frontier_tables(found)


def _show(results: SweepResults, tables: Sequence[tuple[str, Lines]], out: Path) -> None:
    shown = console()
    for name, values in results.chosen.items():
        listed = ", ".join(f"{path} {value}" for path, value in values.items())
        shown.print(f"chosen on validation for {name}: {listed}", soft_wrap=True)
    for title, (columns, *lines) in tables:
        shown.print(table(columns, lines, title=title))
    shown.print(f"numbers  {out / 'sweep.json'}", soft_wrap=True)
    shown.print(f"table    {out / 'table.md'}", soft_wrap=True)


def _list_runs(sweep: Sweep, registry: Registry, out: Path, as_json: bool) -> None:
    """List the runs; searched values are not chosen yet."""
    searching, others = planned_jobs(sweep, registry, out)
    check_jobs(searching, registry)
    jobs = [*searching, *map(_undecided, others)]
    if as_json:
        listed = [{"run": str(job.directory.root), "name": job.name} for job in jobs]
        typer.echo(json.dumps(listed, indent=2))
        return
    for job in jobs:
        say(f"{job.directory.root}: {job.name}")
    runs = counted(len(jobs), "run")
    typer.echo(f"{runs}. Nothing was trained. Run again without --dry-run to start.")


def _undecided(job: Job) -> Job:
    values = {
        path: "to be chosen" if path in job.row.search else v for path, v in job.values.items()
    }
    return attrs.evolve(job, values=values)


def _columns(rows: Sequence[Outcome]) -> list[str]:
    return ["row", "validation", *rows[0].sets, "OOD average"]


def _cells(row: Outcome) -> list[str]:
    return [row.name, *map(spread, (row.validation, *row.sets.values(), row.ood_average))]


def _markdown(lines: Lines) -> str:
    columns, *rows = lines
    ruled = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in ruled)
