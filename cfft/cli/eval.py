"""The command `cfft eval`: measure models side by side."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import typer

from cfft.cli.consoles import console
from cfft.cli.errors import starting
from cfft.cli.eval_tables import print_evaluation
from cfft.cli.live import reporter
from cfft.cli.options import Option, Request, settings_option, shared_options, storing
from cfft.cli.signature import as_command
from cfft.cli.spelling import SpeltCommand
from cfft.errors import ConfigError
from cfft.params import declaration
from cfft.registry import Registry
from cfft.settings import Evaluation

_KINDS = ("suite", "backbone")
_SETTINGS = ("--model", "--pretrained", "--head", "--prompts")
_LEFT_OUT = ("--recipe", "--config")
_PICTURES, _MEASURING, _OUTPUT = "Pictures and model", "Measuring", "Output"
_MODELS = (
    "run directories, checkpoint directories, weight files, patterns of them in quotes, or "
    "zero-shot: the pre-trained model before fine-tuning"
)
_WORDS = {
    "--suite": "pictures to measure on [default those of the first run]",
    "--model": "architecture of zero-shot and of bare weight files, such as ViT-B-32, a local "
    "config FILE.json, or BACKBONE:NAME [default that of the first run]",
    "--pretrained": "weights of zero-shot: a tag, a weight file, or random",
    "--head": "head of zero-shot and of weight files without one; auto: zero-shot where there is "
    "a text tower, else linear-probe [auto|zero-shot|linear-probe|own; default auto]",
    "--seed": "seed that test sets are drawn from [default each run's own, else 0]",
}
_HELP = """{summary}

For example: cfft eval zero-shot 'runs/*' --alphas 0,0.25,0.5,0.75,1

Without --suite the pictures are those of the first run; each run is measured on the test set of \
its own seed. --model and --pretrained say which model zero-shot is, --model which architecture a \
bare weight file has; beside runs both come from the first run.

Segmentations at hand? cfft eval masks --help
"""


@attrs.define
class EvalRequest(Request):
    """Hold what a command line of `cfft eval` asks for."""

    models: list[str] = attrs.field(factory=list)
    from_predictions: bool = False


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command, with options for every suite that is installed."""
    registry = Registry.installed()
    command = as_command(eval_options(registry), partial(evaluate, registry), EvalRequest)
    app.command(
        name,
        cls=SpeltCommand,
        help=_HELP.format(summary=summary),
        context_settings={"token_normalize_func": lambda option: option.replace("_", "-")},
    )(command)


def eval_options(registry: Registry) -> list[Option]:
    """Return the options of `cfft eval` in the order of its help."""
    own = list(_own_options())
    shared = [
        _in_own_words(registry, option)
        for option in shared_options(registry, _KINDS, _SETTINGS, own)
        if option.spelling not in _LEFT_OUT
    ]
    pictures = [option for option in shared if option.panel == _PICTURES]
    return [*pictures, *own, *(option for option in shared if option.panel != _PICTURES)]


def _in_own_words(registry: Registry, option: Option) -> Option:
    """Say what a shared option means where nothing is trained."""
    if option.spelling not in (*_SETTINGS, *_WORDS):
        return option
    words = _WORDS.get(option.spelling, option.help)
    if option.spelling == "--suite":
        words = f"{words}: {', '.join(registry.names('suite'))}"
    return attrs.evolve(option, panel=_PICTURES, help=words)


def evaluate(registry: Registry, request: EvalRequest) -> None:
    """Measure what is asked for, or read what was measured, and show it."""
    if not request.models:
        raise ConfigError(f"no model is given: {_MODELS}")
    settings = _settings(request)
    if request.from_predictions:
        out, record = request.out, _recomputed(request, settings)
    else:
        out = request.out or _free_directory(request)
        record = _measured(registry, request, settings, out)
    if os.environ.get("RANK", "0") == "0":
        _show(request, record, out)


def _own_options() -> Iterator[Option]:
    yield Option("MODEL", _MODELS, "", "MODEL", storing("models"), repeated=True)
    declared = declaration(Evaluation)
    for param in declared.params:
        yield settings_option(declared, param, _MEASURING)
    yield Option(
        "--from-predictions",
        "take MODEL for evaluations and finished runs and recompute their tables without a model",
        _OUTPUT,
        "",
        storing("from_predictions"),
    )
    out = (
        "directory for evaluation.json and predictions [default a new one in evaluations/; with "
        "--from-predictions none]"
    )
    yield Option("--out", out, _OUTPUT, "DIR", storing("out", Path))
    yield Option(
        "--json", "print evaluation.json and nothing else", _OUTPUT, "", storing("as_json")
    )


def _settings(request: EvalRequest) -> Evaluation:
    values = request.layer.settings.pop("evaluation", {})
    settings: Evaluation = declaration(Evaluation).build(values, {})
    wrong = [alpha for alpha in settings.alphas or () if not 0 <= alpha <= 1]
    if wrong:
        raise ConfigError(
            f"--alphas: {wrong[0]:g} is out of range; allowed: 0 (start) to 1 (fine-tuned)"
        )
    return settings


def _free_directory(request: EvalRequest) -> Path:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("several processes need one directory: give --out DIR")
    from cfft.evaluation.files import free_evaluation  # torch comes with it

    chosen = request.layer.chosen.get("suite")
    return free_evaluation(chosen[0].use if chosen else "evaluation")


def _measured(
    registry: Registry, request: EvalRequest, settings: Evaluation, out: Path
) -> dict[str, Any]:
    with starting():
        from cfft.evaluation.job import evaluate_models  # --help must not wait for torch

    watcher = reporter(console(), console(stderr=True), as_json=request.as_json)
    try:
        return evaluate_models(request.models, request.layer, settings, registry, out, watcher)
    finally:
        watcher.close()


def _recomputed(request: EvalRequest, settings: Evaluation) -> dict[str, Any]:
    with starting():
        from cfft.evaluation.recomputed import recompute  # as above

    return recompute(request.models, settings, request.out)


def _show(request: EvalRequest, record: dict[str, Any], out: Path | None) -> None:
    if request.as_json:
        typer.echo(json.dumps(record, indent=2))
        return
    print_evaluation(console(), record)
    if out is not None:
        console().print(f"numbers  {out / 'evaluation.json'}", soft_wrap=True)
