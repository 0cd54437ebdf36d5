"""Progress of a run: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout

import attrs
from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cfft.cli.output.consoles import console
from cfft.cli.output.numbers import brief, duration, measurements, percent
from cfft.cli.output.tables import print_plan
from cfft.runtime.progress import Advance, Plan, Silent
from cfft.training.results import MEASURES, chosen_by

_SECONDS_BETWEEN_LINES = 10.0


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


class Lines(Quiet):
    """Print lines: the plan, each task's beginning, measurements now and then, each epoch."""

    def __init__(self, out: Console, console: Console) -> None:
        super().__init__(console)
        self.out = out
        self.clock = Clock()
        self.spoke_at = -_SECONDS_BETWEEN_LINES
        self.epochs = 0
        self.metric, self.ties = "top1", "earlier"
        self.best = -float("inf")

    def planned(self, plan: Plan) -> None:
        print_plan(self.out, plan)
        super().planned(plan)
        self.clock, self.best = Clock(plan.data["steps"]["total"]), -float("inf")
        training = plan.data["config"]["training"]
        self.epochs, self.metric = training["epochs"], training.get("val_metric", "top1")
        self.ties = training.get("ties", self.ties)

    def resumed(self, best: float) -> None:
        self.best = best

    def measured(self, images: str, role: str, top1: float, *, before: bool) -> None:
        when = "before" if before else "after"
        said = f"{images} ({role.upper()}): {percent(top1)} %"
        self.console.print(f"{when} fine-tuning, {said}", soft_wrap=True)

    def task(self, name: str, total: int) -> AbstractContextManager[Advance]:
        self.console.print(f"{name}: {total:,}")
        return super().task(name, total)

    def stepped(self, step: int, metrics: Mapping[str, float]) -> None:
        said = [*measurements(metrics), *self.clock.left(step)]
        if time.monotonic() - self.spoke_at >= _SECONDS_BETWEEN_LINES:
            self.console.print(f"step {step}: {', '.join(said)}")
            self.spoke_at = time.monotonic()

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
            yield lambda done: progress.update(number, completed=done)
        finally:
            self.close()

    def stepped(self, step: int, metrics: Mapping[str, float]) -> None:
        self.notes.renderables = [*measurements(metrics), *self.clock.left(step)]

    def epoch_ended(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self.notes.renderables = []
        super().epoch_ended(epoch, metrics)

    def close(self) -> None:
        if self.drawn is not None:
            self.drawn.stop()
            self.drawn = None


@attrs.define
class Clock:
    """Estimate the time that is left from the steps seen so far."""

    total: int = 0
    first: tuple[int, float] | None = None

    def left(self, step: int) -> list[str]:
        """Spell the time that training still takes; nothing at the first step."""
        now = time.monotonic()
        if self.first is None:
            self.first = (step, now)
        done, seconds = step - self.first[0], now - self.first[1]
        return [f"{duration(seconds / done * (self.total - step))} left"] if done else []


def reporter(out: Console, console: Console, *, as_json: bool) -> Quiet:
    """Return notes and warnings alone for JSON, a bar in a terminal, lines in pipes and files."""
    if as_json:
        return Quiet(console)
    return Bar(out, console) if console.is_terminal else Lines(out, console)


@contextmanager
def reporting(*, as_json: bool) -> Iterator[Quiet]:
    """Show progress inside the block, and leave the screen as it was found.

    With JSON, what plug-ins print goes to stderr.
    """
    watcher = reporter(console(), console(stderr=True), as_json=as_json)
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
