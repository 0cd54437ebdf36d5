"""The command `cfft run`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from cfft.cli.errors import RunInterruptedError, starting
from cfft.cli.options.options import Request, run_options
from cfft.cli.options.signature import as_command
from cfft.cli.options.spelling import SpeltCommand
from cfft.cli.output.consoles import console
from cfft.cli.output.live import Quiet, reporter
from cfft.cli.output.tables import print_results, print_whereabouts
from cfft.config.layers import (
    Layer,
    read_defaults,
    read_file,
    read_recipe,
    recipe_names,
    recipe_summary,
)
from cfft.config.resolve import RunConfig, resolve
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import json_text
from cfft.training.results import RunResults

EMBEDDED = "embedded"
_HELP = """{summary}

For example: cfft run --suite NAME --data DIR --model ViT-B-32 --pretrained openai

Without images and model, cfft run uses the world and the model that it brings, in two minutes.

Parameters of masks, fills and so on have a full spelling, listed below, and a short one: --PARAM \
goes to the chosen strategy that has it. More about each: cfft plugins show KIND NAME
"""


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command, with options for everything that is installed."""
    registry = Registry.installed()
    command = as_command(run_options(registry), partial(run, registry))
    settings = {"token_normalize_func": lambda option: option.replace("_", "-")}
    text = _HELP.format(summary=summary)
    app.command(name, cls=SpeltCommand, help=text, epilog=_recipes(), context_settings=settings)(
        command
    )


def _recipes() -> str:
    lines = [f"--recipe {name}: {recipe_summary(name)}" for name in recipe_names()]
    return "\n".join(map(escape, lines))


def run(registry: Registry, request: Request) -> None:
    """Resolve the request, run it and show what came out."""
    config = resolve(registry, layers(request))
    out = request.out or free_directory(config)
    watcher = reporter(console(), console(stderr=True), as_json=request.as_json)
    results = _train(config, registry, out, request, watcher)
    if _is_main_process():
        _show(request, out, results)


def layers(request: Request, below: Sequence[Layer] = ()) -> list[Layer]:
    """Return what a request builds on, lowest first: defaults, recipe, file, its own options.

    `below` lies between the defaults and the recipe. Where none of them says anything of images
    or model, both are the embedded ones.
    """
    stack = [*below]
    if request.resume:
        stack.append(_interrupted_run(request.out))
    if request.recipe is not None:
        stack.append(read_recipe(request.recipe))
    if request.config is not None:
        stack.append(read_file(request.config))
    stack.append(request.layer)
    embedded = [] if any(map(_names_something, stack)) else [read_recipe(EMBEDDED)]
    return [read_defaults(), *embedded, *stack]


def _names_something(layer: Layer) -> bool:
    """Tell whether a layer says which images or which model are meant."""
    model = layer.settings.get("model", {})
    return "suite" in layer.chosen or not model.keys().isdisjoint(("name", "pretrained"))


def free_directory(config: RunConfig) -> Path:
    """Return a directory in runs/ that does not exist yet, named after what the run does."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("several processes need one run directory: give --out DIR")
    method = [c.name for c in (config.mask, config.fill) if c is not None]
    method = method or [loss.name for loss in config.losses] or ["vanilla"]
    stem = "-".join([config.suite.name, *method, f"seed{config.seed}"])
    names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(Path("runs", name) for name in names if not Path("runs", name).exists())


def _interrupted_run(out: Path | None) -> Layer:
    if out is None:
        raise ConfigError("--resume needs the directory of the interrupted run: give --out DIR")
    if not (out / "config.toml").is_file():
        raise ConfigError(
            f"--resume: {out} holds no run to go on with (no config.toml): leave --resume out to "
            "start one"
        )
    return read_file(out / "config.toml")


def _train(
    config: RunConfig, registry: Registry, out: Path, request: Request, watcher: Quiet
) -> RunResults | Mapping[str, Any]:
    with starting():
        from cfft.training.run import (
            run as train,  # torch comes with it: --help must not wait for that
        )

    try:
        return train(
            config,
            registry,
            out,
            resume=request.resume,
            dry_run=request.dry_run,
            reporter=watcher,
        )
    except KeyboardInterrupt:
        raise RunInterruptedError(_how_to_resume(out)) from None
    finally:
        watcher.close()


def _how_to_resume(out: Path) -> str:
    if not (out / "checkpoints" / "last").exists():
        return "interrupted before there was anything to save"
    return f"interrupted; go on with: cfft run --resume --out {shlex.quote(str(out))}"


def _is_main_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _show(request: Request, out: Path, results: RunResults | Mapping[str, Any]) -> None:
    if request.as_json:
        typer.echo(json_text(results))
    elif request.dry_run or not isinstance(results, RunResults):
        typer.echo("Nothing was trained: leave --dry-run out to start.")
    else:
        print_results(console(), results)
        print_whereabouts(console(), out)
