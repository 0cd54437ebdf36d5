"""The tree of commands; only the one that is asked for is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

from cfft.cli.options.command import CommandGroup

COMMANDS: Mapping[str, str] = {
    "run": "Fine-tune a model; measure its robustness before and after.",
    "data": "List suites, compare the images on disk with what a suite expects, prepare them.",
    "plugins": "List, show and check masks, fills, losses ...; begin a package of your own.",
    "eval": "Measure models side by side; cfft eval masks measures masks.",
    "predict": "Label images with a fine-tuned model.",
    "preview": "Draw maps, masks and counterfactuals of your images.",
    "merge": "Merge models by their weights: averages, soups and others.",
    "export": "Write a model for other programs, with a model card.",
    "sweep": "Run a table of configurations and seeds; choose parameters on validation.",
    "report": "Show models side by side: one page, tables and figures.",
    "doctor": "Look at versions, device, plug-ins, caches, disk and memory.",
}
_OWN_MODULE: Mapping[tuple[str, ...], str] = {("eval", "masks"): "eval_masks"}


def application(words: Sequence[str], *, completing: bool = False) -> typer.Typer:
    """Make the commands; `words` are the arguments, the first of which names a command.

    `completing`: a shell asks how they may go on; Typer knows shells only where it is told.
    """
    asked = words[0] if words else ""
    app = typer.Typer(
        cls=CommandGroup,
        help="Fine-tune vision transformers on your own images without losing robustness.",
        epilog="Start with: cfft run --help",
        add_completion=completing or asked not in COMMANDS,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if asked in COMMANDS else None,  # rich doubles the time to start
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_common)
    for name, summary in COMMANDS.items():
        if name == asked:
            module = _OWN_MODULE.get(tuple(words[:2]), name)
            import_module(f"cfft.cli.commands.{module}").add_to(app, name, summary)
        else:
            app.command(name, help=summary)(_only_listed)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"cfft {version('cfft')}")
        raise typer.Exit


def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="print the version and stop",
            metavar="",
            is_eager=True,
            callback=_print_version,
        ),
    ] = False,
) -> None: ...


def _only_listed() -> None: ...
