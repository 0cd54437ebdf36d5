"""The command `cfft run`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from cfft.cli.errors import RunInterruptedError, starting
from cfft.cli.options.declared import add_command
from cfft.cli.options.options import run_options
from cfft.cli.output.consoles import console
from cfft.cli.output.live import reporting
from cfft.cli.output.tables import print_results, print_whereabouts
from cfft.config.embedded import BEST, EMBEDDED
from cfft.config.keywords import spelled
from cfft.config.layers import read_recipe, recipe_names, recipe_summary
from cfft.errors import DataError, PluginFailedError
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import json_text
from cfft.runtime.outside import shell_word
from cfft.training.entry import planned_run
from cfft.training.results import RunResults

_HELP = """{summary}

For example: cfft run --suite NAME --data DIR --model ViT-B-32 --pretrained openai

Without --suite and --model, cfft trains its built-in model on its built-in images, in a few \
minutes, by the recipe best: {best}. That holds until another strategy is named; the plan \
says so. Defaults below are those on your own images.

Each parameter has a full spelling, listed below, and a short one: --PARAM goes to the chosen \
strategy that has it. More about each: cfft plugins show KIND.NAME
"""


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command, with options for everything that is installed."""
    registry = Registry.installed()
    text = _HELP.format(summary=summary, best=_built_in())
    recipes = "\n".join(escape(f"--recipe {n}: {recipe_summary(n)}") for n in recipe_names())
    action = partial(run, registry)
    add_command(app, name, run_options(registry), action, registry, help=text, epilog=recipes)


def run(
    registry: Registry,
    *,
    out: str | None = None,
    resume: bool = False,
    dry_run: bool = False,
    before: str | None = None,
    allow_changed: Sequence[str] = (),
    as_json: bool = False,
    **keywords: Any,
) -> None:
    """Do the run that options stand for and show its results."""
    planned = planned_run(registry, keywords, out, resume=resume)
    with starting():
        import cfft.training.run  # noqa: F401, torch comes with it: --help must not wait for that
    changed = [each for text in allow_changed for each in text.split(",")]
    with planned.claimed(dry_run=dry_run) as ready:
        try:
            with reporting(as_json=as_json) as watcher:
                results = ready.start(
                    dry_run=dry_run, before=before, allow_changed=changed, reporter=watcher
                )
        except KeyboardInterrupt:
            raise RunInterruptedError(_how_to_resume(ready.out)) from None
        except PluginFailedError as failed:
            failed.advice = "".join(_once_fixed(ready.out))
            raise
        except DataError as error:
            raise DataError(*error.problems, *_once_fixed(ready.out)) from error
        except OSError as error:  # such as a full disk
            for line in _once_fixed(ready.out):
                error.add_note(line)
            raise
    if os.environ.get("RANK", "0") == "0":
        _show(results, ready.out, as_json=as_json)


def _built_in() -> str:
    """Say what the recipe of the built-in images chooses, with their routine."""
    embedded, best = read_recipe(EMBEDDED), read_recipe(BEST)
    chosen = [(kind, picks) for kind, picks in best.chosen.items()]
    words = [f"{kind} {', '.join(pick.label for pick in picks)}" for kind, picks in chosen]
    routine = embedded.settings["training"].items()
    return "; ".join([*words, *(f"{spelled(name)} {value:g}" for name, value in routine)])


def _how_to_resume(out: Path) -> str:
    from cfft.training.run_directory import RunDirectory, is_begun  # torch comes with it

    if not is_begun(RunDirectory(out)):
        return "interrupted before there was anything to save"
    return f"interrupted; continue with: cfft run --resume --out {shell_word(str(out))}"


def _once_fixed(out: Path) -> Iterator[str]:
    """Say how to go on with a run that has stored something."""
    from cfft.training.run_directory import RunDirectory, is_begun  # torch comes with it

    if is_begun(RunDirectory(out)):
        yield f"once that is fixed, continue with: cfft run --resume --out {shell_word(str(out))}"


def _show(results: RunResults | Mapping[str, Any], out: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json_text(results))
    elif not isinstance(results, RunResults):
        typer.echo("Nothing was trained. Run again without --dry-run to start.")
    else:
        print_results(console(), results)
        print_whereabouts(console(), out)
