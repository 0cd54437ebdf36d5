"""Progress of a run: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cfft.cli.options.volume import Volume, volume
from cfft.cli.output.clock import Clock
from cfft.cli.output.consoles import console
from cfft.cli.output.numbers import brief, measurements, percent
from cfft.cli.output.tables import print_plan
from cfft.runtime.progress import EVALUATING, Advance, Plan, Silent
from cfft.training.results import MEASURES, chosen_by

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_OF_SILENCE = 30.0
_NOTEBOOK = "JPY_PARENT_PID"
"""A variable that Jupyter gives to the processes of its kernels."""


class Quiet(Silent):
    """Print notes and warnings alone, on stderr, so that stdout holds nothing but JSON."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def planned(self, plan: Plan) -> None:
        for warning in plan.warnings:
            self.warned(warning)

    def close(self) -> None:
        """Leave the screen as it was found; safe to repeat."""

    def noted(self, message: str) -> None:
        self.console.print(message, soft_wrap=True)

    def warned(self, message: str) -> None:
        self.console.print(f"warning: {message}", style="yellow", soft_wrap=True)


class Warnings(Quiet):
    """Print warnings alone, on stderr."""

    def noted(self, message: str) -> None:
        return


class Lines(Quiet):
    """Print lines: the plan, each task's beginning, measurements now and then, each epoch."""

    def __init__(
        self, out: Console, console: Console, every: float = _SECONDS_BETWEEN_LINES
    ) -> None:
        super().__init__(console)
        self.out, self.every = out, every
        self.clock = Clock()
        self.main, self.is_stage = "", False
        self.spoke_at = self.printed_at = -float("inf")
        self.epochs = 0
        self.metric, self.ties = "top1", "earlier"
        self.best = -float("inf")

    def planned(self, plan: Plan) -> None:
        print_plan(self.out, plan)
        super().planned(plan)
        self.clock, self.best = Clock.of(plan.data), -float("inf")
        run = plan.data.get("run", "")
        self.main = run if "stages" in plan.data else self.main
        self.is_stage = self.main not in ("", run)
        training = plan.data["config"]["training"]
        self.epochs, self.metric = training["epochs"], training.get("val_metric", "top1")
        self.ties = training.get("ties", self.ties)

    def resumed(self, best: float) -> None:
        self.best = best

    def measured(self, images: str, role: str, top1: float, *, before: bool) -> None:
        when = "before" if before else "after"
        said = f"{images} ({role.upper()}): {percent(top1)} %"
        self.console.print(f"{when} fine-tuning, {said}", soft_wrap=True)

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Advance]:
        self._say(f"{name}: {total:,}")
        with self._timed(name, total):
            yield lambda done: self._advanced(name, done, total)

    def stepped(self, step: int, metrics: Mapping[str, float]) -> None:
        said = [*measurements(metrics), *self._left(step)]
        if time.monotonic() - self.spoke_at >= self.every:
            self._say(f"step {step}: {', '.join(said)}")
            self.spoke_at = time.monotonic()

    def _left(self, step: int) -> list[str]:
        """Spell the time that is left, of a stage where the run has stages."""
        return [
            f"{each} of this stage" if self.is_stage else each for each in self.clock.left(step)
        ]

    def _advanced(self, name: str, done: int, total: int) -> None:
        """Print how far a task is, where nothing was printed for a while."""
        if time.monotonic() - self.printed_at >= _SECONDS_OF_SILENCE and done < total:
            self._say(f"{name}: {done:,} of {total:,}")

    def _say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True)
        self.printed_at = time.monotonic()

    @contextmanager
    def _timed(self, name: str, total: int) -> Iterator[None]:
        """Let the clock know how long it takes to measure images."""
        began = time.monotonic()
        yield
        if name.startswith(EVALUATING):
            self.clock.evaluated(total, time.monotonic() - began)

    def epoch_ended(self, epoch: int, metrics: Mapping[str, float]) -> None:
        score, note = chosen_by(self.metric, metrics), ""
        if score > self.best:
            self.best, note = score, " (best so far)"
        elif score == self.best and self.ties == "later":
            note = " (as good: kept)"
        accuracy = f"validation {percent(metrics['val_top1'])} %{self._chosen_by(metrics)}{note}"
        self.console.print(f"epoch {epoch}/{self.epochs}: {accuracy}, {brief(metrics['seconds'])}")

    def _chosen_by(self, metrics: Mapping[str, float]) -> str:
        """Spell what epochs are chosen by, where that is not the accuracy."""
        found = abs(chosen_by(self.metric, metrics))
        spelt = {"class-mean": f"{percent(found)} %", "loss": f"{found:.4g}"}.get(self.metric)
        return "" if spelt is None else f", {MEASURES[self.metric]} {spelt}"


class Bar(Lines):
    """Draw a bar per task with the newest measurements under it."""

    def __init__(self, out: Console, console: Console) -> None:
        super().__init__(out, console)
        self.drawn: Live | None = None
        self.notes = Columns(padding=(0, 2))

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Advance]:
        self.close()
        progress = _progress(self.console)
        number = progress.add_task(name, total=total)
        self.drawn = Live(Group(progress, self.notes), console=self.console, transient=True)
        self.drawn.start()
        try:
            with self._timed(name, total):
                yield lambda done: progress.update(number, completed=done)
        finally:
            self.close()

    def stepped(self, step: int, metrics: Mapping[str, float]) -> None:
        self.notes.renderables = [*measurements(metrics), *self._left(step)]

    def epoch_ended(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self.notes.renderables = []
        super().epoch_ended(epoch, metrics)

    def close(self) -> None:
        if self.drawn is not None:
            self.drawn.stop()
            self.drawn = None


def reporter(out: Console, console: Console, *, as_json: bool, volume: Volume = "normal") -> Quiet:
    """Return who watches: warnings alone if quiet, with notes beside JSON, else progress too.

    That is a bar in a terminal and lines elsewhere: in pipes and files, in cells of notebooks,
    which know no cursor, and where every line is wanted.
    """
    if volume == "quiet":
        return Warnings(console)
    if as_json:
        return Quiet(console)
    if volume == "verbose":
        return Lines(out, console, every=0.0)
    can_draw = console.is_terminal and not console.is_dumb_terminal
    return Bar(out, console) if can_draw and _NOTEBOOK not in os.environ else Lines(out, console)


@contextmanager
def reporting(*, as_json: bool) -> Iterator[Quiet]:
    """Show progress inside the block, and leave the screen as it was found.

    With JSON, what plug-ins print goes to stderr.
    """
    watcher = reporter(console(), console(stderr=True), as_json=as_json, volume=volume())
    try:
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            yield watcher
    finally:
        watcher.close()


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        expand=True,
    )
