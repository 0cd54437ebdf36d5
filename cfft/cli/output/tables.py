"""The plan before a run and the table after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cfft.cli.output.consoles import table
from cfft.cli.output.numbers import interval, percent, points
from cfft.errors import counted, shortened_list
from cfft.runtime.outside import shell_word
from cfft.runtime.progress import Plan
from cfft.scoring.results import SetResult
from cfft.training.results import MEASURES, MergeResults, RunResults

_FEW_CLASSES = 20


def print_plan(console: Console, plan: Plan) -> None:
    """Print the facts of a plan by group."""
    width = max((len(name) for _, name, _ in plan.facts), default=0)
    for group, facts in groupby(plan.facts, key=lambda fact: fact[0]):
        console.print(group, style="bold")
        grid = Table.grid(padding=(0, 2))
        grid.add_column(min_width=width)
        grid.add_column(overflow="fold")
        for _, name, value in facts:
            grid.add_row(name, value)
        console.print(Padding(grid, (0, 0, 0, 2), expand=False))


def print_results(console: Console, results: RunResults) -> None:
    """Print top-1 per set before and after fine-tuning in percent, and what that comes to.

    Of few classes, also that of each class on the ID set and on the worst OOD set.
    """
    columns = ("set", "before", "after", "difference", "n", "classes", "95 % interval")
    title = "top-1 in percent, before and after fine-tuning"
    shown = table(columns, _set_rows(results), title=title)
    shown.add_section()
    before, after = results.before.ood_average, results.ood_average
    shown.add_row("OOD average", percent(before), percent(after), _gain(before, after), *[""] * 3)
    if len({entry.classes for entry in results.sets.values()}) > 1:
        shown.caption = "predictions are among the classes of each set"
    console.print(shown)
    if len(results.classes) <= _FEW_CLASSES:
        _print_classes(console, results)
    for sentence in _in_words(results):
        console.print(sentence)


def _print_classes(console: Console, results: RunResults) -> None:
    """Print top-1 by class on the ID set and on the OOD set with the lowest one."""
    shown = [name for name, entry in results.sets.items() if entry.role == "id"]
    others = {name: each.top1 for name, each in results.sets.items() if each.role == "ood"}
    shown += [min(others, key=others.__getitem__)] if others else []
    if not any(results.sets[name].by_class for name in shown):
        return
    columns = ["class", *(f"{name}{when}" for name in shown for when in (" before", " after"))]
    title = "top-1 in percent by class" + (", ID and worst OOD set" if others else "")
    rows = [[name, *_of_class(results, name, shown)] for name in dict.fromkeys(results.classes)]
    console.print(table(columns, rows, title=title))


def _of_class(results: RunResults, name: str, sets: Sequence[str]) -> Iterator[str]:
    for each in sets:
        for found in (results.before.sets.get(each), results.sets[each]):
            by_class = () if found is None else found.by_class
            yield percent(next((one.top1 for one in by_class if one.name == name), None))


def _in_words(results: RunResults) -> Iterator[str]:
    """Sum up how top-1 changed, whether intervals overlap, and which epoch was kept."""
    if results.before.sets:
        yield from _changes(results)
    if results.best_epoch:
        yield _kept(results)
    if results.merge is not None:
        yield _of_merge(results.merge)


def _kept(results: RunResults) -> str:
    """Say which epoch was kept and why, and whether patience ended the run."""
    training = results.config.get("training", {})
    metric = training.get("val_metric", "top1")
    value = results.best_val_top1 if results.best_val is None else results.best_val
    spelt = f"{value:.4g}" if metric == "loss" else f"{percent(value)} %"
    said = (
        f"Kept: epoch {results.best_epoch} of {results.epochs}, with the best validation "
        f"{MEASURES[metric]} ({spelt})"
    )
    if results.stopped_early:
        said += f"; stopped early, as --patience {training.get('patience')} asks"
    if results.kept_epochs:
        places = (f"checkpoints/epoch-{number}" for number in results.kept_epochs)
        said += f"; also stored: {shortened_list(places)}"
    return f"{said}."


def _changes(results: RunResults) -> Iterator[str]:
    before, after = results.before, results.sets
    (name,) = (name for name, entry in after.items() if entry.role == "id")
    gained = points(before.sets[name].top1, after[name].top1)
    said = f"In distribution {gained} points"
    if results.ood_average is not None:
        gained = points(before.ood_average, results.ood_average)
        said += f", out of distribution {gained} points on average"
    yield f"{said}."
    if all(_overlap(before.sets[name], after[name]) for name in after):
        yield "For every set the 95 % intervals before and after overlap."


def _of_merge(merge: MergeResults) -> str:
    unmerged, top1 = percent(merge.unmerged_val_top1), percent(merge.val_top1)
    tried = counted(len(merge.candidates), "candidate")
    return (
        f"Merged with {merge.merge}: {top1} on validation ({merge.chosen}, of {tried}), {unmerged} "
        "before; the best checkpoint before is kept in checkpoints/unmerged."
    )


def _overlap(one: SetResult, other: SetResult) -> bool:
    if one.ci95 is None or other.ci95 is None:
        return False
    return one.ci95[0] <= other.ci95[1] and other.ci95[0] <= one.ci95[1]


def _set_rows(results: RunResults) -> Iterator[tuple[str | Text, ...]]:
    for name, after in results.sets.items():
        found = results.before.sets.get(name)
        before = None if found is None else found.top1
        yield (
            f"{name} ({after.role.upper()})",
            percent(before),
            percent(after.top1),
            _gain(before, after.top1),
            str(after.n),
            str(after.classes),
            interval(after.ci95),
        )


def _gain(before: float | None, after: float | None) -> Text:
    spelled = points(before, after)
    return Text(spelled, style={"+": "green", "-": "red"}.get(spelled[:1], "") if before else "")


def print_whereabouts(console: Console, out: Path) -> None:
    """Print the paths of a run's files and the command that repeats it, each on one line."""
    lines = {
        "numbers": out / "results.json",
        "weights": out / "checkpoints" / "best",
        "images": out / "counterfactuals.png",
        "repeat": f"cfft run --config {shell_word(str(out / 'config.toml'))} --out NEW_DIRECTORY",
    }
    for name, value in lines.items():
        if not isinstance(value, Path) or value.exists():
            console.print(f"{name:<8}  {value}", soft_wrap=True)
